// SPDX-License-Identifier: Apache-2.0
// A runtime with a client that loads and attaches programs, for tests of hooks.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <portolan/portolan.hpp>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/info.h"
#include "abi/insn.h"
#include "abi/prog_flags.h"
#include "abi/prog_type.h"

namespace portolan::hook_test {

using abi::AttachType;
using abi::Command;
using abi::Insn;
using abi::ProgType;

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
inline constexpr Insn kExit{0x95, 0, 0, 0};
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }

// A client: it loads and attaches, in this process or in another.
class Client {
 public:
  explicit Client(const Runtime& runtime) : runtime_(runtime) {}

  long load(ProgType type, const std::vector<Insn>& insns, AttachType attach_type = {},
            std::uint32_t btf_id = 0) const {
    abi::Attr attr{};
    attr.prog_load.attach_btf_id = btf_id;
    attr.prog_load.prog_type = static_cast<std::uint32_t>(type);
    attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(attach_type);
    attr.prog_load.insns = reinterpret_cast<std::uintptr_t>(insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.prog_load.license = reinterpret_cast<std::uintptr_t>("GPL");
    return call(Command::kProgLoad, attr);
  }
  // Adds a number (or R2) to the first element of an array of 64-bit numbers, and returns another.
  long load_adder(ProgType type, int map_fd, std::int32_t adds, std::int32_t returns,
                  AttachType attach_type = {}) const {
    return load(type,
                {{0x18, regs(1, 2), 0, map_fd},  // R1 = &value
                 {0, 0, 0, 0},
                 set(2, adds),
                 {0xdb, regs(1, 2), 0, 0},  // lock *R1 += R2
                 set(0, returns),
                 kExit},
                attach_type);
  }
  long open_tracepoint(long program, const char* name, std::uint64_t cookie = 0) const {
    abi::Attr attr{};
    attr.raw_tracepoint.name = reinterpret_cast<std::uintptr_t>(name);
    attr.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(program);
    attr.raw_tracepoint.cookie = cookie;
    return call(Command::kRawTracepointOpen, attr);
  }
  struct Where {
    std::uint32_t target = 0;  // fd or ifindex
    AttachType type{};
    std::uint32_t flags = 0, relative = 0;
    std::uint64_t revision = 0;
    std::uint32_t replaced = 0;
  };
  long link(long program, const Where& where) const {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = where.target;
    attr.link_create.attach_type = static_cast<std::uint32_t>(where.type);
    attr.link_create.flags = where.flags;
    attr.link_create.tcx.relative_fd = where.relative;
    attr.link_create.tcx.expected_revision = where.revision;
    return call(Command::kLinkCreate, attr);
  }
  long attach(long program, const Where& where) const { return attach(Command::kProgAttach, program, where); }
  long detach(long program, const Where& where) const { return attach(Command::kProgDetach, program, where); }
  long update(long link, long program) const {
    abi::Attr attr{};
    attr.link_update.link_fd = static_cast<std::uint32_t>(link);
    attr.link_update.new_prog_fd = static_cast<std::uint32_t>(program);
    return call(Command::kLinkUpdate, attr);
  }
  long detach_link(long link) const {
    abi::Attr attr{};
    attr.link_detach.link_fd = static_cast<std::uint32_t>(link);
    return call(Command::kLinkDetach, attr);
  }
  // How many links there are; who has ended is not among them any more.
  int count_links() const {
    abi::Attr attr{};
    int count = 0;
    while (call(Command::kLinkGetNextId, attr) == 0) {
      attr.id.start_id = attr.id.next_id;
      ++count;
    }
    return count;
  }
  // An fd that switches statistics on.
  long switch_statistics_on() const {
    abi::Attr attr{};
    return call(Command::kEnableStats, attr);
  }
  abi::ProgInfo program_info(long program) const {
    abi::ProgInfo info{};
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(program), sizeof info, reinterpret_cast<std::uintptr_t>(&info)};
    EXPECT_EQ(call(Command::kObjGetInfoByFd, attr), 0);
    return info;
  }
  abi::LinkInfo info(long link) const {
    abi::LinkInfo info{};
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(link), sizeof info, reinterpret_cast<std::uintptr_t>(&info)};
    EXPECT_EQ(call(Command::kObjGetInfoByFd, attr), 0);
    return info;
  }

 private:
  long attach(Command command, long program, const Where& where) const {
    abi::Attr attr{};
    attr.attach = {{where.target},
                   static_cast<std::uint32_t>(program),
                   static_cast<std::uint32_t>(where.type),
                   where.flags,
                   where.replaced,
                   {where.relative},
                   where.revision};
    return call(command, attr);
  }
  long call(Command command, abi::Attr& attr) const {
    return runtime_.bpf(static_cast<int>(command), &attr, sizeof attr);
  }
  Runtime runtime_;
};

class Hooks : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/dev/shm/portolan-hook-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto opened = Runtime::open(directory_);
    ASSERT_TRUE(opened) << opened.error().message();
    runtime_ = *opened;
    client_.emplace(*runtime_);
    auto sum = Array<std::uint64_t>::create(*runtime_, 1);
    ASSERT_TRUE(sum) << sum.error().message();
    sum_.emplace(std::move(*sum));
  }
  void TearDown() override {
    sum_.reset();
    client_.reset();
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  long load_adder(ProgType type, std::int32_t adds, std::int32_t returns = 0) {
    return client_->load_adder(type, sum_->fd(), adds, returns);
  }
  std::uint64_t sum() const { return *sum_->lookup(0); }

  std::string directory_;
  std::optional<Runtime> runtime_;
  std::optional<Client> client_;
  std::optional<Array<std::uint64_t>> sum_;
};

// Runs `body` in a process of its own, which is killed as soon as that is done.
template <class Body>
void in_a_process_that_is_killed(Body&& body) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool done = body();
    const char word = done ? 'y' : 'n';
    (void)!::write(ready[1], &word, 1);
    for (;;) ::pause();
  }
  char word = 0;
  ASSERT_EQ(::read(ready[0], &word, 1), 1);
  EXPECT_EQ(word, 'y');
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace portolan::hook_test
