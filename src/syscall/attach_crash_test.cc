// SPDX-License-Identifier: Apache-2.0
// A client that attaches, updates and detaches is killed, at every store where there are seams: the host's
// list is whole, what only the client held leaves it, and what was attached by itself is there or is not.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/insn.h"
#include "abi/prog_type.h"
#include "hook/hook.h"
#include "sync/call_epoch.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using enum abi::Command;

class AttachCrash : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    auto declared = hook::Hook::declare(*runtime_, hook::of_device(3, abi::AttachType::kTcxIngress));
    ASSERT_TRUE(declared);
    fd_ = std::move(declared->fd);
    hook_ = declared->hook;
    for (long& program : programs_) {
      const abi::Insn insns[] = {{0xb7, 0, 0, -1}, {0x95, 0, 0, 0}};
      abi::Attr attr{};
      attr.prog_load.prog_type = static_cast<std::uint32_t>(abi::ProgType::kSchedCls);
      attr.prog_load.insns = address(insns);
      attr.prog_load.insn_cnt = 2;
      attr.prog_load.license = address("GPL");
      program = call(kProgLoad, attr);
      ASSERT_GE(program, 0);
    }
  }
  void TearDown() override {
    fd_.reset();
    World::TearDown();
  }
  long attach(abi::Command command, long program) {
    abi::Attr attr{};
    attr.attach.target_ifindex = 3;
    attr.attach.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attach.attach_type = static_cast<std::uint32_t>(abi::AttachType::kTcxIngress);
    return call(command, attr);
  }
  long link(long program) {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = 3;
    attr.link_create.attach_type = static_cast<std::uint32_t>(abi::AttachType::kTcxIngress);
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
      std::size_t ran = 0;
      ASSERT_TRUE(hook_->run([&](vm::Runner&, auto programs) { ran = programs.size(); }));
      EXPECT_LE(ran, 1u);
      for (const hook::Member& member : hook_->list().members) EXPECT_EQ(member.link_id, 0u);
    }
    const long detached = attach(kProgDetach, programs_[0]);
    EXPECT_TRUE(detached == 0 || detached == -ENOENT) << detached;
    // All places are to be had again.
    for (const long program : programs_) EXPECT_EQ(attach(kProgAttach, program), 0);
    for (const long program : programs_) EXPECT_EQ(attach(kProgDetach, program), 0);
    shm::Findings findings;
    runtime_->check(findings);
    for (const shm::Finding& finding : findings.list())
      EXPECT_EQ(finding.severity, shm::Severity::kNote) << finding.where << ": " << finding.what;
    abi::Attr attr{};
    EXPECT_EQ(call(kLinkGetNextId, &attr, sizeof attr), -ENOENT);
  }

  UniqueFd fd_;
  hook::Hook* hook_ = nullptr;
  long programs_[3] = {};
};

#ifdef PORTOLAN_SEAMS

TEST_F(AttachCrash, at_every_store_leaves_the_list_whole) {
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

TEST_F(AttachCrash, at_random_times_leaves_the_list_whole) {
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

}  // namespace
}  // namespace portolan::syscall
