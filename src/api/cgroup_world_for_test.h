// SPDX-License-Identifier: Apache-2.0
// A cgroup, which is a directory, with a client that attaches programs to it.
#pragma once
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/hook_world_for_test.h"

namespace portolan::hook_test {

constexpr Insn call(std::int32_t helper) { return {0x85, 0, 0, helper}; }
constexpr Insn load32(unsigned to, unsigned from, std::int16_t offset) {
  return {0x61, regs(to, from), offset, 0};
}
constexpr Insn load64(unsigned to, unsigned from, std::int16_t offset) {
  return {0x79, regs(to, from), offset, 0};
}
constexpr Insn store32(unsigned to, std::int16_t offset, unsigned from) {
  return {0x63, regs(to, from), offset, 0};
}
constexpr Insn copy(unsigned to, unsigned from) { return {0xbf, regs(to, from), 0, 0}; }
constexpr Insn add(unsigned to, std::int32_t value) { return {0x07, regs(to), 0, value}; }

class CgroupHooks : public Hooks {
 protected:
  void SetUp() override {
    Hooks::SetUp();
    directory_fd_ = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(directory_fd_, 0);
  }
  void TearDown() override {
    ::close(directory_fd_);
    Hooks::TearDown();
  }
  void attach(ProgType type, AttachType attach_type, const std::vector<Insn>& insns) {
    const long program = client_->load(type, insns, attach_type);
    ASSERT_GE(program, 0);
    ASSERT_EQ(client_->attach(program, {static_cast<std::uint32_t>(directory_fd_), attach_type,
                                        abi::attach_flag::kAllowMulti}),
              0);
  }
  // The program's last words: R0 is added to the sum.
  std::vector<Insn> then_add_r0(std::vector<Insn> insns, std::int32_t returns) const {
    for (const Insn& insn : std::initializer_list<Insn>{{0x18, regs(1, 2), 0, sum_->fd()},
                                                        {0, 0, 0, 0},
                                                        {0xdb, regs(1, 0), 0, 0},
                                                        set(0, returns),
                                                        kExit})
      insns.push_back(insn);
    return insns;
  }
  int directory_fd_ = -1;
};

}  // namespace portolan::hook_test
