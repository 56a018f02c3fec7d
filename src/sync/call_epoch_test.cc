// SPDX-License-Identifier: Apache-2.0
#include "sync/call_epoch.h"

#include <pthread.h>

#include <thread>
#include <vector>

#include "sync/process_for_test.h"

namespace portolan::sync {
namespace {

TEST(CallEpoch, nothing_inside_is_quiescent) { EXPECT_TRUE(quiesced(begin_epoch())); }

TEST(CallEpoch, a_call_that_began_before_is_waited_for_and_one_after_is_not) {
  {
    CallEpoch before;
    EXPECT_TRUE(CallEpoch::inside());
    EXPECT_FALSE(quiesced(begin_epoch()));
  }
  EXPECT_FALSE(CallEpoch::inside());
  const std::uint64_t epoch = begin_epoch();
  CallEpoch after;
  EXPECT_TRUE(quiesced(epoch));
}

TEST(CallEpoch, nested_calls_count_as_the_outermost) {
  CallEpoch outer;
  const std::uint64_t epoch = begin_epoch();
  {
    CallEpoch inner;
    EXPECT_FALSE(quiesced(epoch));
  }
  EXPECT_TRUE(CallEpoch::inside());
  EXPECT_FALSE(quiesced(epoch));
}

TEST(CallEpoch, other_threads_are_seen) {
  FlagForTest entered, leave, left;
  std::thread thread([&] {
    {
      CallEpoch call;
      entered.raise();
      leave.await();
    }
    left.raise();
  });
  entered.await();
  const std::uint64_t epoch = begin_epoch();
  EXPECT_FALSE(quiesced(epoch));
  leave.raise();
  left.await();
  EXPECT_TRUE(quiesced(epoch));
  thread.join();
}

TEST(CallEpoch, entry_of_an_ended_thread_is_used_again) {
  ThreadEpoch *first = nullptr, *second = nullptr;
  std::thread([&] {
    CallEpoch call;
    first = this_thread_epoch;
  }).join();
  std::thread([&] {
    CallEpoch call;
    second = this_thread_epoch;
  }).join();
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(first, second);
}

TEST(CallEpoch, call_in_a_late_destructor_of_a_thread_leaves_nothing_behind) {
  pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key, [](void*) { CallEpoch call; }), 0);
  ThreadEpoch* used[3] = {};
  for (ThreadEpoch*& epoch : used)
    std::thread([&] {
      pthread_setspecific(key, &used);
      CallEpoch call;
      epoch = this_thread_epoch;
    }).join();
  EXPECT_EQ(used[0], used[1]);
  EXPECT_EQ(used[1], used[2]);
  pthread_key_delete(key);
}

TEST(CallEpoch, threads_of_the_parent_do_not_count_in_a_child) {
  FlagForTest entered, leave;
  std::thread thread([&] {
    CallEpoch call;
    entered.raise();
    leave.await();
  });
  entered.await();
  EXPECT_EQ(run_child([] { return quiesced(begin_epoch()) ? 0 : 1; }), 0);
  {
    CallEpoch call;
    EXPECT_EQ(run_child([] { return quiesced(begin_epoch()) ? 1 : 0; }), 0);  // this one is the child's own
  }
  leave.raise();
  thread.join();
}

int hook_runs = 0;
TEST(CallEpoch, put_off_signals_run_once_at_the_end_of_the_outermost_call) {
  set_put_off_signal_hook([] { ++hook_runs; });
  hook_runs = 0;
  {
    CallEpoch outer;
    {
      CallEpoch inner;
      this_thread_epoch->signals_put_off.store_relaxed(1);
    }
    EXPECT_EQ(hook_runs, 0);
  }
  EXPECT_EQ(hook_runs, 1);
  {
    CallEpoch again;
  }
  EXPECT_EQ(hook_runs, 1);
  set_put_off_signal_hook(nullptr);
}

TEST(CallEpoch, what_was_unlinked_is_freed_under_nobody) {
  struct Thing {
    Atomic<std::uint64_t> live;
  };
  Thing things[2];
  things[0].live.store_relaxed(1);
  Atomic<Thing*> current{&things[0]};
  Atomic<std::uint32_t> stop, wrong, calls;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (stop.load_relaxed() == 0) {
        CallEpoch call;
        const Thing* thing = current.load_acquire();  // pairs with the store below
        for (int look = 0; look < 10; ++look)
          if (thing->live.load_relaxed() != 1) wrong.store_relaxed(1);
        calls.fetch_add_relaxed(1);
      }
    });
  for (int round = 0; round < 100 || calls.load_relaxed() < 5000; ++round) {
    Thing *old = current.load_relaxed(), *fresh = old == &things[0] ? &things[1] : &things[0];
    fresh->live.store_relaxed(1);
    current.store_release(fresh);  // pairs with the readers
    const std::uint64_t epoch = begin_epoch();
    while (!quiesced(epoch)) sys::yield();
    old->live.store_relaxed(0);
  }
  stop.store_relaxed(1);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load_relaxed(), 0u);
}

}  // namespace
}  // namespace portolan::sync
