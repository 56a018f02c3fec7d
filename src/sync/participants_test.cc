// SPDX-License-Identifier: Apache-2.0
#include "sync/participants.h"

#include <sched.h>
#include <sys/resource.h>

#include <set>
#include <thread>
#include <vector>

#include "sync/process_for_test.h"

namespace portolan::sync {
namespace {

struct Pair {
  Atomic<std::uint64_t> owner;
  FlagForTest ready, leave;
};

TEST(Participants, owner_word_is_stable_and_names_the_thread) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Owner first = *participants.self();
  EXPECT_EQ(*participants.self(), first);
  EXPECT_EQ(first.thread(), static_cast<std::uint32_t>(sys::gettid()));
  Owner other;
  std::thread([&] { other = *participants.self(); }).join();
  EXPECT_EQ(other.slot(), first.slot());
  EXPECT_EQ(other.incarnation(), first.incarnation());
  EXPECT_NE(other.thread(), first.thread());
}

TEST(Participants, joins_only_when_first_asked) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  EXPECT_EQ(participants.lock_fd(), -1);
  EXPECT_EQ(world.table->slots[0].claimed.load_acquire(), 0u);
  ASSERT_TRUE(participants.self());
  EXPECT_GE(participants.lock_fd(), 0);
  EXPECT_EQ(world.table->slots[0].claimed.load_acquire(), 1u);
}

TEST(Participants, clean_leave_frees_the_slot_and_the_next_is_another_incarnation) {
  WorldForTest world;
  Owner first, second;
  {
    Participants participants(*world.table, world.directory.fd());
    first = *participants.self();
  }
  EXPECT_EQ(world.table->slots[0].claimed.load_acquire(), 0u);
  Participants participants(*world.table, world.directory.fd());
  second = *participants.self();
  EXPECT_EQ(second.slot(), first.slot());
  EXPECT_NE(second.incarnation(), first.incarnation());
  EXPECT_FALSE(participants.alive(first));
  EXPECT_TRUE(participants.alive(second));
}

TEST(Participants, instances_of_one_process_share_a_slot_and_see_each_other_alive) {
  WorldForTest world;
  Participants one(*world.table, world.directory.fd());
  const Owner owner = *one.self();
  {
    Participants two(*world.table, world.directory.fd());
    EXPECT_EQ(*two.self(), owner);
    EXPECT_TRUE(two.alive(owner));
  }
  // The lock must have outlived the second instance.
  EXPECT_EQ(run_child([&] { return one.alive(owner) ? 0 : 1; }), 0);
}

TEST(Participants, runtimes_in_one_process_do_not_mix) {
  WorldForTest a, b;
  Participants in_a(*a.table, a.directory.fd()), in_b(*b.table, b.directory.fd());
  b.table->slots[0].claimed.store_relaxed(1);  // so that the slots differ
  const Owner owner_a = *in_a.self(), owner_b = *in_b.self();
  EXPECT_NE(owner_a, owner_b);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*in_a.self(), owner_a);
    EXPECT_EQ(*in_b.self(), owner_b);
  }
}

TEST(Participants, forked_child_takes_a_slot_of_its_own_and_leaves_the_parents_alone) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Owner parent = *participants.self();
  const int result = run_child([&] {
    if (participants.lock_fd() != -1) return 1;
    if (!participants.alive(parent)) return 2;
    const Owner child = *participants.self();
    if (child.slot() == parent.slot()) return 3;
    return participants.alive(child) && participants.alive(parent) ? 0 : 4;
  });
  EXPECT_EQ(result, 0);
  EXPECT_TRUE(participants.alive(parent));
  EXPECT_EQ(*participants.self(), parent);
  EXPECT_EQ(run_child([&] { return participants.alive(parent) ? 0 : 1; }), 0);
}

TEST(Participants, child_of_a_raw_clone_is_noticed_too) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Owner parent = *participants.self();
  const long child = sys::call(SYS_clone, SIGCHLD);
  if (child == 0) {
    const auto own = participants.self();
    sys::call(SYS_exit_group, own && own->slot() != parent.slot() ? 0 : 1);
  }
  EXPECT_EQ(wait_for(static_cast<pid_t>(child)), 0);
}

TEST(Participants, grandchild_of_an_idle_child_is_noticed) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Owner parent = *participants.self();
  const int result = run_child(
      [&] { return run_child([&] { return participants.self()->slot() != parent.slot() ? 0 : 1; }); });
  EXPECT_EQ(result, 0);
}

TEST(Participants, vfork_child_that_closes_descriptors_does_not_drop_the_lock) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  const Owner owner = *participants.self();
  const pid_t child = ::vfork();
  if (child == 0) {
    sys::call(SYS_close, participants.lock_fd());
    ::_exit(0);
  }
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(run_child([&] { return participants.alive(owner) ? 0 : 1; }), 0);
}

TEST(Participants, killed_process_is_dead_and_its_slot_is_not_reused_before_others) {
  WorldForTest world;
  SharedForTest<Pair> shared;
  Participants participants(*world.table, world.directory.fd());
  const pid_t child = start_child([&] {
    shared->owner.store_relaxed(participants.self()->word());
    shared->ready.raise();
    for (;;) ::pause();
    return 0;
  });
  shared->ready.await();
  const Owner owner(shared->owner.load_relaxed());
  EXPECT_TRUE(participants.alive(owner));
  EXPECT_TRUE(participants.others_alive());
  ::kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child), -SIGKILL);
  EXPECT_FALSE(participants.alive(owner));
  EXPECT_FALSE(participants.others_alive());
  EXPECT_NE(participants.self()->slot(), owner.slot());
}

TEST(Participants, idle_child_does_not_keep_a_dead_parent_alive) {
  WorldForTest world;
  SharedForTest<Pair> shared;
  Participants participants(*world.table, world.directory.fd());
  const pid_t child = start_child([&] {
    shared->owner.store_relaxed(participants.self()->word());
    (void)start_child([&] {
      shared->ready.raise();
      shared->leave.await();
      return 0;
    });
    shared->ready.await();
    sys::kill_self();
    return 0;
  });
  EXPECT_EQ(wait_for(child), -SIGKILL);
  EXPECT_FALSE(participants.alive(Owner(shared->owner.load_relaxed())));
  shared->leave.raise();
}

TEST(Participants, slots_of_the_dead_are_claimed_when_no_others_are_left) {
  WorldForTest world;
  for (ParticipantSlot& slot : world.table->slots) slot.claimed.store_relaxed(1);
  Participants participants(*world.table, world.directory.fd());
  const auto owner = participants.self();
  ASSERT_TRUE(owner);
  EXPECT_TRUE(participants.alive(*owner));
}

TEST(Participants, thread_that_ended_inside_an_operation_is_dead) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  Owner owner;
  bool alive_while_running = false;
  std::thread([&] {
    owner = *participants.self();
    alive_while_running = participants.alive(owner);
  }).join();
  EXPECT_TRUE(alive_while_running);
  // join() returns when the thread can do no more; the kernel takes it out of its tables a moment later.
  for (int i = 0; i < 1'000'000 && participants.alive(owner); ++i) sys::yield();
  EXPECT_FALSE(participants.alive(owner));
  EXPECT_TRUE(participants.alive(*participants.self()));
}

TEST(Participants, owners_that_never_were_are_dead) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  EXPECT_FALSE(participants.alive(Owner()));
  EXPECT_FALSE(participants.alive(Owner(kMaxParticipants, 1, 1)));
  EXPECT_FALSE(participants.alive(Owner(17, 0, 1)));
  EXPECT_FALSE(participants.alive(Owner(~std::uint64_t{0})));
}

TEST(Participants, error_of_the_directory_is_passed_on) {
  SharedForTest<ParticipantTable> table;
  Participants participants(*table, -1);
  const auto owner = participants.self();
  ASSERT_FALSE(owner);
  EXPECT_EQ(owner.error().value, EBADF);
}

TEST(Participants, threads_that_join_at_once_agree_on_the_slot) {
  WorldForTest world;
  Participants participants(*world.table, world.directory.fd());
  FlagForTest go;
  std::vector<Owner> owners(8);
  std::vector<std::thread> threads;
  for (Owner& owner : owners)
    threads.emplace_back([&] {
      go.await();
      owner = *participants.self();
    });
  go.raise();
  for (std::thread& thread : threads) thread.join();
  for (const Owner owner : owners) EXPECT_EQ(owner.slot(), owners[0].slot());
}

TEST(Participants, processes_that_join_at_once_have_different_slots) {
  constexpr int kProcesses = 16;
  struct State {
    FlagForTest go, leave;
    Atomic<std::uint32_t> joined;
    Atomic<std::uint64_t> owners[kProcesses];
  };
  WorldForTest world;
  SharedForTest<State> shared;
  Participants participants(*world.table, world.directory.fd());
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i)
    children.push_back(start_child([&, i] {
      shared->go.await();
      const auto owner = participants.self();
      shared->owners[i].store_relaxed(owner ? owner->word() : 0);
      shared->joined.fetch_add_acq_rel(1);
      shared->leave.await();
      return 0;
    }));
  shared->go.raise();
  while (shared->joined.load_acquire() != kProcesses) sys::yield();
  std::set<std::uint32_t> slots;
  for (const auto& owner : shared->owners) {
    EXPECT_NE(owner.load_relaxed(), 0u);
    slots.insert(Owner(owner.load_relaxed()).slot());
  }
  EXPECT_EQ(slots.size(), static_cast<std::size_t>(kProcesses));
  shared->leave.raise();
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
}

}  // namespace
}  // namespace portolan::sync
