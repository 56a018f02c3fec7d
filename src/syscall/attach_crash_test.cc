// SPDX-License-Identifier: Apache-2.0
// A client that attaches, updates and detaches is killed, at every store where there are seams: the host's
// list is whole, what only the client held leaves it, and what was attached by itself is there or is not.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/insn.h"
#include "abi/prog_flags.h"
#include "abi/prog_type.h"
#include "hook/hook.h"
#include "sync/call_epoch.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using enum abi::Command;

constexpr std::uint32_t kTcx = static_cast<std::uint32_t>(abi::AttachType::kTcxIngress),
                        kEgress = static_cast<std::uint32_t>(abi::AttachType::kCgroupInetEgress);

// To a device, or to a cgroup, which has another one below it.
class AttachCrash : public World, public testing::WithParamInterface<std::uint32_t> {
 protected:
  void SetUp() override {
    World::SetUp();
    if (is_cgroup())
      declare_cgroups();
    else
      hook_ = declare(hook::of_device(3, abi::AttachType::kTcxIngress), {});
    for (long& program : programs_) {
      const abi::Insn insns[] = {{0xb7, 0, 0, is_cgroup() ? 1 : -1}, {0x95, 0, 0, 0}};
      abi::Attr attr{};
      attr.prog_load.prog_type =
          static_cast<std::uint32_t>(is_cgroup() ? abi::ProgType::kCgroupSkb : abi::ProgType::kSchedCls);
      attr.prog_load.expected_attach_type = is_cgroup() ? kEgress : 0;
      attr.prog_load.insns = address(insns);
      attr.prog_load.insn_cnt = 2;
      attr.prog_load.license = address("GPL");
      program = call(kProgLoad, attr);
      ASSERT_GE(program, 0);
    }
  }
  void TearDown() override {
    fds_.clear();
    World::TearDown();
  }
  static bool is_cgroup() { return GetParam() == kEgress; }
  hook::Hook* declare(const hook::Key& key, std::span<const std::uint64_t> above) {
    auto declared = hook::Hook::declare(*runtime_, key, {.above = above});
    if (!declared) return nullptr;
    fds_.push_back(std::move(declared->fd));
    return declared->hook;
  }
  void declare_cgroups() {
    struct ::stat status{};
    const std::string parent = runtime_->directory() + "/parent", child = parent + "/child";
    ASSERT_EQ(::mkdir(parent.c_str(), 0700), 0);
    ASSERT_EQ(::mkdir(child.c_str(), 0700), 0);
    fds_.emplace_back(::open(parent.c_str(), O_RDONLY | O_DIRECTORY));
    target_ = static_cast<std::uint32_t>(fds_.back().get());
    ASSERT_EQ(::stat(parent.c_str(), &status), 0);
    hook_ = declare({hook::Point::kCgroup, kEgress, status.st_dev, status.st_ino, {}}, {});
    const std::uint64_t above[] = {status.st_ino};
    ASSERT_EQ(::stat(child.c_str(), &status), 0);
    below_ = declare({hook::Point::kCgroup, kEgress, status.st_dev, status.st_ino, {}}, above);
  }
  static std::size_t programs_at(hook::Hook& hook) {
    const sync::CallEpoch epoch;
    std::size_t there = 0;
    EXPECT_TRUE(hook.run([&](vm::Runner&, auto programs) { there = programs.size(); }));
    return there;
  }
  void expect_below(std::size_t programs) {
    if (below_ != nullptr) {
      EXPECT_EQ(programs_at(*below_), programs);
    }
  }
  long attach(abi::Command command, long program) {
    abi::Attr attr{};
    attr.attach.target_ifindex = target_;
    attr.attach.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach.attach_type = GetParam();
    if (is_cgroup() && command == kProgAttach) attr.attach.attach_flags = abi::attach_flag::kAllowMulti;
    return call(command, attr);
  }
  long link(long program) {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = target_;
    attr.link_create.attach_type = GetParam();
    return call(kLinkCreate, attr);
  }
  // What a client does, in a process that may end anywhere.
  void work() {
    (void)attach(kProgAttach, programs_[0]);
    abi::Attr attr{};
    attr.link_update.link_fd = static_cast<std::uint32_t>(link(programs_[1]));
    attr.link_update.new_prog_fd = static_cast<std::uint32_t>(programs_[2]);
    (void)call(kLinkUpdate, attr);
    abi::Attr detach{};
    detach.link_detach.link_fd = attr.link_update.link_fd;
    (void)call(kLinkDetach, detach);
    (void)attach(kProgDetach, programs_[0]);
  }
  // The host's side afterwards.
  void expect_whole() {
    {
      sync::CallEpoch epoch;
      runtime_->sweep();
      hook_->settle_links();
      // Programs are run, whatever was in between.
      EXPECT_LE(programs_at(*hook_), 1u);
      for (const hook::Member& member : hook_->list().members) EXPECT_EQ(member.link_id, 0u);
    }
    const long detached = attach(kProgDetach, programs_[0]);
    EXPECT_TRUE(detached == 0 || detached == -ENOENT) << detached;
    // All places are to be had again.
    for (const long program : programs_) EXPECT_EQ(attach(kProgAttach, program), 0);
    EXPECT_EQ(programs_at(*hook_), std::size(programs_));
    expect_below(std::size(programs_));
    for (const long program : programs_) EXPECT_EQ(attach(kProgDetach, program), 0);
    expect_below(0);
    shm::Findings findings;
    runtime_->check(findings);
    for (const shm::Finding& finding : findings.list())
      EXPECT_EQ(finding.severity, shm::Severity::kNote) << finding.where << ": " << finding.what;
    abi::Attr attr{};
    EXPECT_EQ(call(kLinkGetNextId, &attr, sizeof attr), -ENOENT);
  }

  std::vector<UniqueFd> fds_;
  std::uint32_t target_ = 3;
  hook::Hook* hook_ = nullptr;
  hook::Hook* below_ = nullptr;
  long programs_[3] = {};
};

#ifdef PORTOLAN_SEAMS

TEST_P(AttachCrash, at_every_store_leaves_the_list_whole) {
  for (std::uint64_t seam = 1; seam < 3000; ++seam) {
    SCOPED_TRACE(seam);
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      work();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    expect_whole();
    if (WIFEXITED(status)) {
      EXPECT_GT(seam, 50u);  // else the seams were not there
      return;
    }
    if (HasFailure()) return;
  }
  ADD_FAILURE() << "never got through";
}

#else

TEST_P(AttachCrash, at_random_times_leaves_the_list_whole) {
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) work();
    for (int i = 0; i < 200 * round; ++i) ASSERT_TRUE(hook_->run([](vm::Runner&, auto) {}));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    expect_whole();
  }
}

#endif

INSTANTIATE_TEST_SUITE_P(, AttachCrash, testing::Values(kTcx, kEgress),
                         [](const auto& type) { return type.param == kTcx ? "tcx" : "cgroup"; });

}  // namespace
}  // namespace portolan::syscall
