// SPDX-License-Identifier: Apache-2.0
#include "sync/vcpu.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <thread>
#include <vector>

#include "sync/process_for_test.h"
#include "sync/quiescence.h"

namespace portolan::sync {
namespace {

template <unsigned N>
struct Slots {
  VcpuSlot slot[N];
};

class OnCpu {
 public:
  explicit OnCpu(unsigned (*choose)()) { set_cpu_choice_for_test(choose); }
  ~OnCpu() { set_cpu_choice_for_test(nullptr); }
};

TEST(Vcpu, lease_is_that_of_the_cpu_and_the_same_until_released) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Actor actor = *participants.actor();
  Slots<4> slots{};
  VcpuTable vcpus(slots.slot);
  OnCpu two([] { return 2u; });
  EXPECT_EQ(vcpus.lease(actor), 2u);
  set_cpu_choice_for_test([] { return 1u; });
  EXPECT_EQ(vcpus.lease(actor), 2u);
  vcpus.release(actor, 2);
  EXPECT_EQ(Owner(slots.slot[2].owner.load_relaxed()), actor.self);
  vcpus.release(actor, 2);
  EXPECT_EQ(slots.slot[2].owner.load_relaxed(), 0u);
  EXPECT_EQ(vcpus.lease(actor), 1u);
  vcpus.release(actor, 1);
}

TEST(Vcpu, busy_vcpu_gives_another_one) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  Slots<3> slots{};
  VcpuTable vcpus(slots.slot);
  OnCpu zero([] { return 0u; });
  const Actor actor = *participants.actor();
  EXPECT_EQ(vcpus.lease(actor), 0u);
  std::uint32_t other = 0;
  std::thread([&] {
    cpu_set_t all;
    CPU_ZERO(&all);
    ::sched_getaffinity(0, sizeof all, &all);
    if (CPU_COUNT(&all) == 1) {
      other = 1;  // pinned: it would wait, as it should
      return;
    }
    const Actor mine = *participants.actor();
    other = vcpus.lease(mine);
    vcpus.release(mine, other);
  }).join();
  EXPECT_EQ(other, 1u);
  vcpus.release(actor, 0);
}

TEST(Vcpu, cpus_beyond_the_table_wrap_around) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  Slots<2> slots{};
  VcpuTable vcpus(slots.slot);
  OnCpu seven([] { return 7u; });
  const Actor actor = *participants.actor();
  EXPECT_EQ(vcpus.lease(actor), 1u);
  vcpus.release(actor, 1);
}

TEST(Vcpu, tables_that_share_a_thread_local_hint_do_not_mix_up_leases) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Actor actor = *participants.actor();
  OnCpu one([] { return 1u; });
  std::vector<Slots<2>> slots(9);
  std::vector<VcpuTable> tables;
  for (auto& each : slots) tables.emplace_back(each.slot);
  for (auto& table : tables) EXPECT_EQ(table.lease(actor), 1u);
  for (auto& table : tables) EXPECT_EQ(table.lease(actor), 1u);
  for (auto& table : tables) {
    table.release(actor, 1);
    table.release(actor, 1);
  }
  for (auto& each : slots) EXPECT_EQ(each.slot[1].owner.load_relaxed(), 0u);
}

TEST(Vcpu, leases_exclude_each_other) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  Slots<2> slots{};
  VcpuTable vcpus(slots.slot);
  std::uint64_t plain[2] = {};  // per CPU; ThreadSanitizer sees a lease that two threads hold
  constexpr int kThreads = 4, kRounds = 3000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      const Actor actor = *participants.actor();
      for (int round = 0; round < kRounds; ++round) {
        const std::uint32_t vcpu = vcpus.lease(actor);
        ++plain[vcpu];
        vcpus.release(actor, vcpu);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(plain[0] + plain[1], std::uint64_t{kThreads} * kRounds);
}

TEST(Vcpu, lease_of_the_dead_is_taken_over_when_none_is_free) {
  WorldForTest world;
  SharedForTest<Slots<1>> slots;
  Participants participants(*world.table, world.directory.fd());
  VcpuTable vcpus(slots->slot);
  EXPECT_EQ(run_child([&] {
              vcpus.enter(vcpus.lease(*participants.actor()));
              sys::kill_self();
              return 0;
            }),
            -SIGKILL);
  EXPECT_EQ(slots->slot[0].runs.load_relaxed() % 2, 1u);
  const Actor actor = *participants.actor();
  EXPECT_EQ(vcpus.lease(actor), 0u);
  EXPECT_EQ(slots->slot[0].runs.load_relaxed() % 2, 0u);
  EXPECT_EQ(slots->slot[0].nesting.load_relaxed(), 0u);
  vcpus.release(actor, 0);
  EXPECT_EQ(slots->slot[0].owner.load_relaxed(), 0u);
}

TEST(Vcpu, reclaim_frees_the_dead_and_leaves_the_living) {
  WorldForTest world;
  SharedForTest<Slots<3>> slots;
  Participants participants(*world.table, world.directory.fd());
  VcpuTable vcpus(slots->slot);
  OnCpu zero([] { return 0u; });
  const Actor actor = *participants.actor();
  EXPECT_EQ(run_child([&] {
              vcpus.enter(vcpus.lease(*participants.actor()));
              sys::kill_self();
              return 0;
            }),
            -SIGKILL);
  set_cpu_choice_for_test([] { return 1u; });
  EXPECT_EQ(vcpus.lease(actor), 1u);
  EXPECT_EQ(vcpus.reclaim_dead(actor), 1u);
  EXPECT_EQ(slots->slot[0].owner.load_relaxed(), 0u);
  EXPECT_EQ(slots->slot[0].runs.load_relaxed() % 2, 0u);
  EXPECT_EQ(Owner(slots->slot[1].owner.load_relaxed()), actor.self);
  vcpus.release(actor, 1);
}

TEST(Vcpu, nested_programs_count_as_one_run) {
  Slots<1> slots{};
  VcpuTable vcpus(slots.slot);
  vcpus.enter(0);
  const std::uint64_t run = slots.slot[0].runs.load_relaxed();
  EXPECT_EQ(run % 2, 1u);
  vcpus.enter(0);
  vcpus.leave(0);
  EXPECT_EQ(slots.slot[0].runs.load_relaxed(), run);
  vcpus.leave(0);
  EXPECT_EQ(slots.slot[0].runs.load_relaxed(), run + 1);
}

TEST(Quiescence, waits_for_a_run_that_had_begun) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  Slots<2> slots{};
  VcpuTable vcpus(slots.slot);
  FlagForTest running;
  Atomic<std::uint32_t> ended;
  std::thread program([&] {
    const Actor actor = *participants.actor();
    const std::uint32_t vcpu = vcpus.lease(actor);
    vcpus.enter(vcpu);
    running.raise();
    for (int i = 0; i < 3000; ++i) sys::yield();
    ended.store_relaxed(1);
    vcpus.leave(vcpu);
    vcpus.release(actor, vcpu);
  });
  running.await();
  wait_quiescent(vcpus, *participants.actor());
  EXPECT_EQ(ended.load_relaxed(), 1u);
  program.join();
}

TEST(Quiescence, does_not_wait_for_the_dead_nor_for_idle_leases) {
  WorldForTest world;
  SharedForTest<Slots<2>> slots;
  Participants participants(*world.table, world.directory.fd());
  VcpuTable vcpus(slots->slot);
  EXPECT_EQ(run_child([&] {
              vcpus.enter(vcpus.lease(*participants.actor()));
              sys::kill_self();
              return 0;
            }),
            -SIGKILL);
  const Actor actor = *participants.actor();
  const std::uint32_t vcpu = vcpus.lease(actor);
  wait_quiescent(vcpus, actor);
  vcpus.release(actor, vcpu);
}

// What a writer frees behind programs that use it: how often one of them met what was freed.
class Freeing {
 public:
  // `keeps_lease`: from one run to the next, so that nothing but entering lies between them.
  std::uint32_t wrong_after(int rounds, bool keeps_lease, void (*before_writing)() = [] {}) {
    Participants participants(*world_.table, world_.directory.fd());
    std::vector<std::thread> programs;
    for (int i = 0; i < 2; ++i) programs.emplace_back([&] { run(*participants.actor(), keeps_lease); });
    std::thread writer([&] {
      before_writing();
      write(*participants.actor(), rounds);
    });
    writer.join();
    stop_.store_relaxed(1);
    for (std::thread& program : programs) program.join();
    return wrong_.load_relaxed();
  }

 private:
  void run(const Actor& actor, bool keeps_lease) {
    VcpuTable vcpus(slots_.slot);
    if (keeps_lease) vcpus.lease(actor);
    while (stop_.load_relaxed() == 0) {
      const std::uint32_t vcpu = vcpus.lease(actor);
      vcpus.enter(vcpu);
      const std::uint32_t index = current_.load_acquire();  // pairs with write
      for (int look = 0; look < 10; ++look)
        if (live_[index].load_relaxed() != 1) wrong_.store_relaxed(1);
      vcpus.leave(vcpu);
      vcpus.release(actor, vcpu);
      runs_.fetch_add_relaxed(1);
    }
  }
  void write(const Actor& actor, int rounds) {
    const VcpuTable vcpus(slots_.slot);
    live_[0].store_relaxed(1);
    for (int round = 0; round < rounds || runs_.load_relaxed() < 5000; ++round) {
      const std::uint32_t old = current_.load_relaxed();
      live_[1 - old].store_relaxed(1);
      current_.store_release(1 - old);  // pairs with run
      wait_quiescent(vcpus, actor);
      live_[old].store_relaxed(0);
    }
  }

  WorldForTest world_;
  Slots<2> slots_{};
  Atomic<std::uint64_t> live_[2]{Atomic<std::uint64_t>(1), Atomic<std::uint64_t>(1)};
  Atomic<std::uint32_t> current_, stop_, wrong_, runs_;
};

TEST(Quiescence, what_was_unlinked_is_freed_under_no_program) {
  EXPECT_EQ(Freeing().wrong_after(500, false), 0u);
  EXPECT_EQ(Freeing().wrong_after(500, true), 0u);
}

TEST(Quiescence, programs_that_pass_barriers_need_no_fence) {
  EXPECT_EQ(run_child([] {
              pass_barriers_of_others();
              if (!passes_barriers_of_others()) return 0;  // this machine has none
              return static_cast<int>(Freeing().wrong_after(200'000, true));
            }),
            0);
}

// Has the kernel refuse this thread's membarrier(2).
void forbid_barriers() {
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(filter), filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    std::abort();
}

TEST(Quiescence, a_writer_that_may_not_ask_for_barriers_waits_longer) {
  EXPECT_EQ(run_child([] {
              pass_barriers_of_others();
              return static_cast<int>(Freeing().wrong_after(20, true, forbid_barriers));
            }),
            0);
}

#ifdef PORTOLAN_SEAMS
TEST(Vcpu, kill_at_every_store_of_a_run_leaves_a_vcpu_that_others_can_use) {
  for (std::uint64_t seam = 1;; ++seam) {
    WorldForTest world;
    SharedForTest<Slots<1>> slots;
    Participants participants(*world.table, world.directory.fd());
    VcpuTable vcpus(slots->slot);
    const auto run = [&](std::uint64_t kill_at) {
      const Actor actor = *participants.actor();
      kill_at_seam(kill_at);
      const std::uint32_t vcpu = vcpus.lease(actor);
      vcpus.enter(vcpu);
      vcpus.leave(vcpu);
      vcpus.release(actor, vcpu);
      kill_at_seam(0);
      return 0;
    };
    const int first = run_child([&] { return run(3); });  // inside the program
    ASSERT_EQ(first, -SIGKILL);
    const int status = run_child([&] { return run(seam); });  // takes over, and is killed too
    const Actor actor = *participants.actor();
    wait_quiescent(vcpus, actor);
    EXPECT_EQ(vcpus.lease(actor), 0u);
    EXPECT_EQ(slots->slot[0].runs.load_relaxed() % 2, 0u) << "seam " << seam;
    EXPECT_EQ(slots->slot[0].nesting.load_relaxed(), 0u) << "seam " << seam;
    vcpus.release(actor, 0);
    EXPECT_EQ(slots->slot[0].owner.load_relaxed(), 0u);
    if (status == 0) break;
    ASSERT_EQ(status, -SIGKILL);
  }
}
#endif

}  // namespace
}  // namespace portolan::sync
