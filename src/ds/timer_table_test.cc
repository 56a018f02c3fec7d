// SPDX-License-Identifier: Apache-2.0
#include "ds/timer_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "base/clock.h"
#include "ds/table_for_test.h"
#include "sync/process_for_test.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
sync::Atomic<std::uint64_t> time_now;

constexpr std::uint32_t kMortal = 7;  // the participant that is said to be dead
class AllButOneLive final : public sync::Liveness {
 public:
  bool alive(sync::Owner owner) const override { return owner.slot() != kMortal; }
};
sync::Actor actor_of(std::uint32_t process, std::uint32_t thread = 1) {
  static const AllButOneLive liveness;
  return {sync::Owner(process, 1, thread), &liveness};
}

class Timers : public testing::Test {
 protected:
  static constexpr std::uint64_t kOffset = 64;
  Timers()
      : region_(region_for_test(TimerTable::sizes(kOffset).total, TimerTable::sizes(kOffset).reserved)),
        table_([this] {
          TimerTable::format(*region_, kOffset);
          return *TimerTable::attach(*region_, kOffset);
        }()) {
    time_now.store_relaxed(std::uint64_t{1'000'000} * kMillisecond);
    set_clock_for_test([] { return time_now.load_relaxed(); });
  }
  ~Timers() override { set_clock_for_test(nullptr); }

  // A timer of object 1 that calls program 5.
  TimerName make(std::uint64_t at, const sync::Actor& actor = actor_of(0),
                 TimerClock clock = TimerClock::kMonotonic) {
    const auto name = table_.make(actor, 0, {1, at}, clock);
    EXPECT_TRUE(name);
    EXPECT_TRUE(table_.set_callback(actor, *name, {5, 0}, true));
    return *name;
  }
  void start(TimerName name, std::uint64_t ns, const sync::Actor& actor = actor_of(0)) {
    EXPECT_TRUE(table_.start(actor, name, {ns, false, {}}));
  }
  // What is due, carried out at once; 0: nothing is.
  TimerName take(const sync::Actor& actor = actor_of(0)) {
    const auto due = table_.take_due(actor, 0);
    if (!due) return 0;
    table_.finished(actor, due->name);
    return due->name;
  }
  void pass(std::uint64_t ns) { time_now.fetch_add_relaxed(ns); }
  void expect_clean() const {
    shm::Findings findings;
    table_.check("timers", findings);
    for (const auto& finding : findings.list()) ADD_FAILURE() << finding.where << ": " << finding.what;
  }

  std::unique_ptr<shm::Region> region_;
  TimerTable table_;
};

TEST_F(Timers, come_when_they_are_due_in_order) {
  const TimerName late = make(1), early = make(2), never = make(3);
  start(late, 20);
  start(early, 10);
  EXPECT_EQ(table_.next(actor_of(0)).wait_ns, 10u);
  EXPECT_EQ(take(), 0u);
  pass(10);
  EXPECT_EQ(table_.next(actor_of(0)).wait_ns, 0u);
  EXPECT_EQ(take(), early);
  EXPECT_EQ(take(), 0u);
  pass(10);
  EXPECT_EQ(take(), late);
  EXPECT_EQ(table_.next(actor_of(0)).wait_ns, TimerTable::kNever);
  (void)never;
  expect_clean();
}

// Work is behind nothing but what was started before it.
TEST_F(Timers, of_work_are_due_at_once_and_once_in_the_order_of_their_starts) {
  const TimerName one = make(1, actor_of(0), TimerClock::kAtOnce),
                  other = make(2, actor_of(0), TimerClock::kAtOnce);
  start(other, std::uint64_t{1} << 60);
  pass(1);
  start(one, 0);
  pass(1);
  start(other, 0);
  EXPECT_EQ(table_.next(actor_of(0)).wait_ns, 0u);
  const auto due = table_.take_due(actor_of(0), 0);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->name, other);
  EXPECT_EQ(due->clock, TimerClock::kAtOnce);
  start(other, 0);  // while it is carried out: once more
  EXPECT_EQ(take(), one);
  table_.finished(actor_of(0), other);
  EXPECT_EQ(take(), other);
  EXPECT_EQ(take(), 0u);
  expect_clean();
}

TEST_F(Timers, a_freed_one_stands_for_nothing) {
  const TimerName name = make(1);
  start(name, 10);
  EXPECT_EQ(table_.make(actor_of(0), name, {1, 1}, TimerClock::kMonotonic).error().value, EBUSY);
  EXPECT_TRUE(table_.make(actor_of(0), name, {1, 2}, TimerClock::kMonotonic));  // a name of another place
  (void)table_.free(actor_of(0), name);
  EXPECT_EQ(table_.start(actor_of(0), name, {0, false, {}}).error().value, EINVAL);
  EXPECT_EQ(table_.cancel(actor_of(0), name, 0).error().value, EINVAL);
  EXPECT_EQ(table_.set_callback(actor_of(0), name, {5, 0}, true).error().value, EINVAL);
  EXPECT_NE(*table_.make(actor_of(0), name, {1, 1}, TimerClock::kMonotonic), name);
  pass(100);
  EXPECT_EQ(take(), 0u);
  expect_clean();
}

TEST_F(Timers, who_started_one_carries_it_out_and_others_when_it_is_late) {
  const TimerName name = make(1);
  start(name, 10, actor_of(0));
  pass(10);
  EXPECT_EQ(take(actor_of(1)), 0u);
  EXPECT_GT(table_.next(actor_of(1)).wait_ns, 0u);
  pass(table_.next(actor_of(1)).wait_ns);
  EXPECT_EQ(take(actor_of(1)), name);
}

TEST_F(Timers, none_is_carried_out_twice_at_a_time_but_after_a_death) {
  const TimerName name = make(1);
  start(name, 10);
  pass(10);
  ASSERT_TRUE(table_.take_due(actor_of(0, 1), 0));
  start(name, 0);
  EXPECT_EQ(take(actor_of(0, 2)), 0u);
  table_.finished(actor_of(0, 1), name);
  pass(kMillisecond);
  EXPECT_EQ(take(actor_of(0, 2)), name);

  start(name, 0, actor_of(kMortal));
  ASSERT_TRUE(table_.take_due(actor_of(kMortal), 0));
  start(name, 0);
  EXPECT_EQ(take(), name);
  expect_clean();
}

TEST_F(Timers, cancel_waits_for_the_callback) {
  const TimerName name = make(1);
  start(name, 10);
  pass(10);
  const auto due = table_.take_due(actor_of(0, 1), 0);
  ASSERT_TRUE(due);
  EXPECT_EQ(table_.cancel(actor_of(0, 1), name, name).error().value, EDEADLK);
  sync::Atomic<bool> is_finished;
  std::thread callback([&] {
    for (int turn = 0; turn < 100; ++turn) sys::yield();
    is_finished.store_release(true);  // pairs with the load below
    table_.finished(actor_of(0, 1), name);
  });
  const auto cancelled = table_.cancel(actor_of(0, 2), name, 0);
  EXPECT_TRUE(is_finished.load_acquire());
  callback.join();
  ASSERT_TRUE(cancelled);
  EXPECT_FALSE(cancelled->was_armed);
  EXPECT_EQ(table_.start(actor_of(0), name, {0, false, {}}).error().value, EINVAL);
}

TEST_F(Timers, cancel_does_not_wait_for_the_dead) {
  const TimerName name = make(1);
  start(name, 0, actor_of(kMortal));
  ASSERT_TRUE(table_.take_due(actor_of(kMortal), 0));
  EXPECT_TRUE(table_.cancel(actor_of(0), name, 0));
}

TEST_F(Timers, callbacks_that_cancel_each_other_do_not_wait_for_each_other) {
  const TimerName one = make(1), other = make(2);
  start(one, 0);
  start(other, 0);
  ASSERT_EQ(table_.take_due(actor_of(0, 1), 0)->name, one);
  ASSERT_EQ(table_.take_due(actor_of(0, 2), 0)->name, other);
  // Whoever comes second is told so; the first one waits for it.
  const auto cancels = [&](std::uint32_t thread, TimerName what, TimerName own) {
    const auto cancelled = table_.cancel(actor_of(0, thread), what, own);
    if (!cancelled) {
      EXPECT_EQ(cancelled.error().value, EDEADLK);
    }
    table_.finished(actor_of(0, thread), own);
    return cancelled.has_value();
  };
  bool first_did = false, second_did = false;
  std::thread first([&] { first_did = cancels(1, other, one); });
  std::thread second([&] { second_did = cancels(2, one, other); });
  second.join();
  first.join();
  EXPECT_TRUE(first_did || second_did);
}

TEST_F(Timers, the_first_of_an_object_and_program_needs_an_edge_and_the_last_gives_it_back) {
  const sync::Actor actor = actor_of(0);
  const auto is_edge = [](const TimerEdge& edge) { return edge.object == 1 && edge.program == 5; };
  const TimerName one = *table_.make(actor, 0, {1, 1}, TimerClock::kMonotonic);
  const TimerName two = *table_.make(actor, 0, {1, 2}, TimerClock::kMonotonic);
  EXPECT_EQ(table_.set_callback(actor, one, {5, 0}, false).error().value, ENOENT);
  EXPECT_FALSE(is_edge(table_.set_callback(actor, one, {5, 0}, true)->surplus));
  EXPECT_FALSE(is_edge(table_.set_callback(actor, two, {5, 3}, false)->surplus));
  EXPECT_TRUE(is_edge(table_.set_callback(actor, two, {5, 3}, true)->surplus));
  EXPECT_FALSE(is_edge(table_.free(actor, one)));
  EXPECT_TRUE(is_edge(table_.set_callback(actor, two, {6, 0}, true)->before));
  EXPECT_EQ(table_.cancel(actor, two, 0)->edge.program, 6u);
  expect_clean();
}

TEST_F(Timers, a_pinned_one_waits_for_its_cpu) {
  const TimerName name = make(1);
  EXPECT_TRUE(table_.start(actor_of(0), name, {0, false, 3}));
  EXPECT_EQ(table_.next(actor_of(0)).cpu, 3u);
  EXPECT_FALSE(table_.take_due(actor_of(0), 0));
  EXPECT_TRUE(table_.take_due(actor_of(0), 3));
}

// Against a list of what is armed, and from when on.
TEST_F(Timers, any_sequence_of_operations_is_that_of_a_list) {
  std::mt19937_64 dice(5);
  std::map<TimerName, std::uint64_t> deadlines;
  std::vector<TimerName> all;
  for (std::uint32_t step = 0; step < 20'000; ++step) {
    if (all.size() < 500) all.push_back(make(step));
    const TimerName one = all[dice() % all.size()];
    switch (dice() % 6) {
      case 0:
      case 1:
      case 2: {
        const std::uint64_t ns = dice() % 1000;
        start(one, ns);
        deadlines[one] = time_now.load_relaxed() + ns;
        break;
      }
      case 3:
        (void)table_.free(actor_of(0), one);
        deadlines.erase(one);
        std::erase(all, one);
        break;
      case 4: {
        const auto cancelled = table_.cancel(actor_of(0), one, 0);
        ASSERT_TRUE(cancelled);
        EXPECT_EQ(cancelled->was_armed, deadlines.erase(one) == 1);
        EXPECT_TRUE(table_.set_callback(actor_of(0), one, {5, 0}, true));
        break;
      }
      case 5: {
        pass(dice() % 100);
        std::uint64_t last = 0;
        while (const TimerName due = take()) {
          ASSERT_TRUE(deadlines.contains(due));
          EXPECT_LE(last, deadlines[due]);
          last = deadlines[due];
          EXPECT_LE(last, time_now.load_relaxed());
          deadlines.erase(due);
        }
        for (const auto& [name, deadline] : deadlines) EXPECT_GT(deadline, time_now.load_relaxed());
        break;
      }
    }
  }
  expect_clean();
}

#ifdef PORTOLAN_SEAMS

// What a process that was killed at any store leaves is whole again for the next, and nothing that was armed
// before is lost.
TEST_F(Timers, a_death_at_any_store_loses_no_timer_of_others) {
  for (std::uint64_t seam = 1;; ++seam) {
    ASSERT_LT(seam, 3000u);
    SCOPED_TRACE(seam);
    std::vector<TimerName> mine;
    for (std::uint64_t at = 0; at < 5; ++at) {
      mine.push_back(make(100 + at));
      start(mine.back(), (7 * at % 5 + 1) * 10);
    }
    const int status = sync::run_child([&] {
      const sync::Actor actor = actor_of(kMortal);
      sync::kill_at_seam(seam);
      const TimerName one = make(1, actor), two = make(2, actor);
      start(one, 5, actor);
      start(two, 1, actor);
      start(one, 100, actor);
      pass(2);
      const auto due = table_.take_due(actor, 0);
      if (due) table_.finished(actor, due->name);
      (void)table_.cancel(actor, one, 0);
      (void)table_.set_callback(actor, two, {6, 0}, true);
      (void)table_.free(actor, one);
      (void)table_.free(actor, two);
      return 0;
    });
    std::size_t came = 0;
    pass(1'000 * kMillisecond);
    while (const TimerName due = take()) came += std::ranges::count(mine, due) != 0 ? 1 : 0;
    EXPECT_EQ(came, mine.size());
    for (std::uint32_t number = 0; number < table_.count(); ++number)
      if (const auto known = table_.timer(actor_of(0), number)) (void)table_.free(actor_of(0), known->name);
    expect_clean();
    if (HasFailure() || status == 0) return;
  }
}

#endif

}  // namespace
}  // namespace portolan::ds
