// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Timers in shared memory, armed and carried out by several processes, any of which may be killed at any time.
//
// Sources       the kernel's hrtimers: what is armed lies in order of its deadline, one order for each clock.
//               Here a binary heap of 32-bit numbers, since there are no pointers. That processes relieve each
//               other needs no election: whoever armed a timer carries it out, and when it is late by kGrace
//               anybody else does. So a process that died, was stopped, or has its hands full is no case of its own.
//               Work (the kernel's work queues) is a timer whose clock has no future: its order is that of its starts.
//
// Layout        header   lock | changes | slab of slots | how many are in each heap | users
//               users    rows of object, program, count: how many timers of an object call a program
//               slots    name | place | deadline | starter, runner | object, program, function | clock, cpu |
//                        armed, heap_place | cancelling | generation, link
//               heaps    for each clock: numbers of slots; the first has the earliest deadline
//
//   A timer's name is its slot's generation and number. What lies in an object keeps that name; a name that its
//   slot no longer has stands for nothing. So an element that was recycled, or one whose timer went another way,
//   needs no cleaning up: its name is stale, and whoever carries out a timer asks the object whether that name is
//   still what lies at its place.
//
// Invariants    I1  Everything is written under the lock, but `changes`, which may count up at any time.
//               I2  A slot is in use exactly while its name is not 0, and named armed while it is to be carried out.
//                   That, with deadline, object and program, is the truth; free list, heaps and users follow from it.
//               I3  A slot that is armed is in the heap of its clock, at heap_place - 1.
//               I4  `runner` is who carries the timer out; nobody takes a timer out of a heap while another one
//                   that lives does so.
//
// Linearization make, free: the store of the name. start: of armed, or of the deadline if it was armed. cancel,
//               take_due: of armed. set_callback: of the program.
//
// Progress      One lock, held for O(log timers). cancel() waits for a callback that runs, as the kernel does; that
//               one has its vCPU before it is marked as running, so it never waits for one that waits for it.
//
// Killed …                          others see                       who repairs
//   in any operation                the lock of a dead owner         who next takes it: frees slots without a name,
//                                                                    builds the heaps and counts the users anew
//   carrying a callback out         a runner that is dead            a cancel that waits for it; the next take_due.
//                                                                    The callback is not carried out again
//   armed, and not yet carried out  a timer that is late             whoever lives, after kGrace
//   between an edge and its users   an object that refers to a       nobody: it does so until it goes, or its users do
//                                   program it does not call
//
// Outside data: numbers are bounded by the slots that were handed out, places in a heap by that too. A hostile
// writer can make timers come early, late, never, or for another place or program: whoever carries one out asks
// the object and the program whether they may have such a one.
// clang-format on
#include "ds/timer_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/random.h"
#include "base/sys.h"
#include "ds/timer_layout.h"
#include "sync/futex.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kHeapsPerPage = kPageSize / sizeof(std::uint32_t);
constexpr std::uint64_t kGrace_ns = 10'000'000;
// A clock that goes on while the machine sleeps may jump; how long one sleeps on it without another look.
constexpr std::uint64_t kMostSleep_ns = 1'000'000'000;
constexpr std::uint64_t kRetry_ns = 1'000'000;
constexpr std::uint64_t kLastDeadline = std::uint64_t{9'223'372'036} * 1'000'000'000;  // KTIME_SEC_MAX
constexpr std::uint32_t kFirstSweep = 1024;

std::uint64_t process_of(const sync::Actor& actor) {
  return sync::Owner(actor.self.slot(), actor.self.incarnation(), 0).word();
}

// Addition that ends at kLastDeadline, as ktime_add_safe(): of what is negative, too.
std::uint64_t deadline_after(std::uint64_t now, std::uint64_t ns) {
  const std::uint64_t sum = now + ns;
  return static_cast<std::int64_t>(ns) < 0 || static_cast<std::int64_t>(sum) < 0 ? kLastDeadline : sum;
}

std::uint64_t deadline_of(TimerClock clock, const TimerTable::Start& start) {
  if (clock == TimerClock::kAtOnce) return now_of(clock);
  if (!start.is_absolute) return deadline_after(now_of(clock), start.ns);
  // What is no time is never, as for the kernel.
  return static_cast<std::int64_t>(start.ns) < 0 ? kLastDeadline : start.ns;
}

}  // namespace

std::uint64_t now_of(TimerClock clock) {
  switch (clock) {
    case TimerClock::kMonotonic:
    case TimerClock::kAtOnce:
      return monotonic_ns();
    case TimerClock::kBoottime:
      return boottime_ns();
  }
  return 0;
}

class TimerTable::Hold {
 public:
  Hold(const TimerTable& table, const sync::Actor& actor)
      : guard_(table.header_->lock, actor, [&] { table.repair(); }) {}

 private:
  sync::RobustGuard guard_;
};

namespace {

std::uint64_t heaps_after(std::uint64_t offset) { return round_up(offset + sizeof(TimerHeader), kPageSize); }
std::uint64_t slots_after(std::uint64_t offset) {
  return heaps_after(offset) + kTimerClocks * std::uint64_t{TimerTable::kMostTimers} * sizeof(std::uint32_t);
}

}  // namespace

TimerTable::Sizes TimerTable::sizes(std::uint64_t offset) {
  return {slots_after(offset) + std::uint64_t{kMostTimers} * sizeof(TimerSlot), heaps_after(offset)};
}

void TimerTable::format(const shm::Region& region, std::uint64_t offset) {
  region.at<TimerHeader>(offset)->salt = static_cast<std::uint32_t>(random_u64());
}

Result<TimerTable> TimerTable::attach(shm::Region& region, std::uint64_t offset) {
  TimerTable table;
  table.region_ = &region;
  table.header_ = region.at<TimerHeader>(offset);
  if (table.header_ == nullptr || region.size() < sizes(offset).total) return fail(EINVAL);
  table.heaps_offset_ = heaps_after(offset);
  table.slab_ = Slab(region, table.header_->slab,
                     {slots_after(offset), sizeof(TimerSlot), kMostTimers, offsetof(TimerSlot, link)});
  return table;
}

const sync::Atomic<std::uint32_t>& TimerTable::changes() const { return header_->changes; }

void TimerTable::wake() {
  header_->changes.fetch_add_relaxed(1);
  sync::wake_all(header_->changes);
}

TimerSlot& TimerTable::slot(std::uint32_t number) const {
  return *reinterpret_cast<TimerSlot*>(slab_.at(number));
}

TimerSlot* TimerTable::find(TimerName name) const {
  const auto number = static_cast<std::uint32_t>(name) - 1;
  if (name == 0 || number >= slab_.handed_out()) return nullptr;
  TimerSlot& timer = slot(number);
  return timer.name.load_relaxed() == name ? &timer : nullptr;
}

Result<TimerName> TimerTable::make(const sync::Actor& actor, TimerName was, TimerPlace place,
                                   TimerClock clock) {
  const Hold hold(*this, actor);
  if (const TimerSlot* known = find(was); known != nullptr && known->place() == place) return fail(EBUSY);
  if (const std::uint32_t fresh = slab_.handed_out();
      fresh % kHeapsPerPage == 0 && header_->slab.free_head.load_relaxed() == 0 && fresh < kMostTimers)
    for (std::uint32_t one = 0; one < kTimerClocks; ++one)
      TRY(region_->reserve(heaps_offset_ + (std::uint64_t{one} * kMostTimers + fresh) * sizeof(std::uint32_t),
                           kPageSize));
  const Result<std::uint32_t> taken = slab_.take();
  if (!taken || !slab_.is_index(*taken)) return fail(ENOMEM);
  TimerSlot& timer = slot(*taken);
  const std::uint32_t generation = timer.generation.load_relaxed() + 1;
  timer.generation.store_relaxed(generation);
  timer.object.store_relaxed(place.object);
  timer.at.store_relaxed(place.at);
  timer.clock.store_relaxed(static_cast<std::uint32_t>(clock));
  timer.program.store_relaxed(0);
  timer.runner.store_relaxed(0);
  timer.armed.store_relaxed(0);
  timer.heap_place.store_relaxed(0);
  timer.cancelling.store_relaxed(0);
  const TimerName name = std::uint64_t{generation + header_->salt} << 32 | (*taken + 1);
  timer.name.store_relaxed(name);  // the commit
  header_->made_since_sweep.store_relaxed(header_->made_since_sweep.load_relaxed() + 1);
  return name;
}

Result<TimerTable::Unneeded> TimerTable::set_callback(const sync::Actor& actor, TimerName name,
                                                      TimerCallback callback, bool has_edge) {
  const Hold hold(*this, actor);
  TimerSlot* const timer = find(name);
  if (timer == nullptr) return fail(EINVAL);
  const TimerEdge edge{timer->object.load_relaxed(), callback.program};
  Unneeded unneeded;
  const bool is_used = has_users(edge);
  if (!is_used && !has_edge) return fail(ENOENT);
  if (is_used && has_edge) unneeded.surplus = edge;
  if (timer->program.load_relaxed() != callback.program) {
    if (!count_user(edge, +1)) return fail(ENOMEM);
    unneeded.before = drop_callback(*timer);
  }
  timer->function.store_relaxed(callback.function);
  timer->program.store_relaxed(callback.program);  // the commit
  return unneeded;
}

Result<void> TimerTable::start(const sync::Actor& actor, TimerName name, const Start& start) {
  bool is_first;
  {
    const Hold hold(*this, actor);
    TimerSlot* const timer = find(name);
    if (timer == nullptr || timer->program.load_relaxed() == 0) return fail(EINVAL);
    const TimerClock clock = timer->its_clock();
    if (clock == TimerClock::kAtOnce && timer->armed.load_relaxed() != 0) return {};
    timer->starter.store_relaxed(process_of(actor));
    timer->cpu.store_relaxed(start.cpu ? *start.cpu + 1 : 0);
    timer->deadline.store_relaxed(deadline_of(clock, start));
    timer->armed.store_relaxed(1);  // the commit, unless it was
    if (const std::uint32_t place = timer->heap_place.load_relaxed();
        place != 0 && place <= heap_count(clock).load_relaxed())
      sift(clock, place - 1);
    else
      insert(*timer);
    is_first = top(clock) == timer;
  }
  if (is_first) wake();
  return {};
}

Result<TimerTable::Cancelled> TimerTable::cancel(const sync::Actor& actor, TimerName name, TimerName own) {
  TimerSlot* timer;
  Cancelled cancelled{};
  {
    const Hold hold(*this, actor);
    timer = find(name);
    if (timer == nullptr) return fail(EINVAL);
    if (name == own || timer->runner.load_relaxed() == actor.self.word()) return fail(EDEADLK);
    // Two callbacks that cancel each other's timer would wait for each other.
    if (const TimerSlot* mine = find(own); mine != nullptr) {
      if (mine->cancelling.load_relaxed() != 0) return fail(EDEADLK);
      timer->cancelling.store_relaxed(1);
    }
    cancelled.edge = drop_callback(*timer);
    cancelled.was_armed = disarm(*timer);
  }
  for (std::uint32_t round = 0;; ++round) {
    const std::uint64_t runner = timer->runner.load_acquire();  // pairs with finished
    if (runner == 0 || timer->name.load_relaxed() != name) return cancelled;
    if (round < 256) {
      sync::spin_hint();
      continue;
    }
    if (round % 64 == 0 && !actor.liveness->alive(sync::Owner(runner))) {
      finished(actor, name);
      return cancelled;
    }
    sys::sleep_ns(50'000);
  }
}

TimerEdge TimerTable::free(const sync::Actor& actor, TimerName name) {
  const Hold hold(*this, actor);
  TimerSlot* const timer = find(name);
  if (timer == nullptr) return {};
  const TimerEdge edge = drop_callback(*timer);
  disarm(*timer);
  timer->runner.store_release(0);  // pairs with cancel
  timer->name.store_relaxed(0);    // the commit
  slab_.give_back(static_cast<std::uint32_t>(name) - 1);
  return edge;
}

std::optional<TimerTable::Known> TimerTable::timer(const sync::Actor& actor, std::uint32_t number) {
  const Hold hold(*this, actor);
  if (number >= slab_.handed_out()) return {};
  const TimerSlot& found = slot(number);
  const TimerName name = found.name.load_relaxed();
  if (find(name) != &found) return {};
  return Known{name, found.place(), found.its_clock(), found.runner.load_relaxed() != 0};
}

std::optional<TimerPlace> TimerTable::place_of(const sync::Actor& actor, TimerName name) {
  const Hold hold(*this, actor);
  const TimerSlot* const found = find(name);
  return found != nullptr ? std::optional(found->place()) : std::nullopt;
}

bool TimerTable::is_time_to_sweep(const sync::Actor& actor) {
  const Hold hold(*this, actor);
  if (header_->made_since_sweep.load_relaxed() <= std::max(header_->sweep_after.load_relaxed(), kFirstSweep))
    return false;
  header_->made_since_sweep.store_relaxed(0);
  header_->sweep_after.store_relaxed(slab_.handed_out());
  return true;
}

namespace {

// From when on this process may carry it out.
std::uint64_t due_from(const TimerSlot& timer, std::uint64_t process) {
  const std::uint64_t deadline = timer.deadline.load_relaxed();
  if (timer.starter.load_relaxed() == process) return deadline;
  return deadline > kLastDeadline ? deadline : deadline + kGrace_ns;
}

std::optional<std::uint32_t> cpu_of(const TimerSlot& timer) {
  const std::uint32_t cpu = timer.cpu.load_relaxed();
  return cpu != 0 ? std::optional(cpu - 1) : std::nullopt;
}

}  // namespace

TimerTable::Next TimerTable::next(const sync::Actor& actor) {
  const Hold hold(*this, actor);
  Next next{kNever, {}};
  for (std::uint32_t i = 0; i < kTimerClocks; ++i) {
    const auto clock = static_cast<TimerClock>(i);
    const TimerSlot* const first = top(clock);
    if (first == nullptr) continue;
    const std::uint64_t now = now_of(clock), due = due_from(*first, process_of(actor));
    std::uint64_t wait_ns = due <= now ? 0 : due - now;
    if (clock == TimerClock::kBoottime) wait_ns = std::min(wait_ns, kMostSleep_ns);
    if (wait_ns < next.wait_ns) next = {wait_ns, cpu_of(*first)};
  }
  return next;
}

std::optional<TimerTable::Due> TimerTable::take_due(const sync::Actor& actor, std::uint32_t cpu) {
  std::optional<Due> due;
  bool others_wait = false;
  {
    const Hold hold(*this, actor);
    for (std::uint32_t i = 0; i < kTimerClocks && !due; ++i) {
      const auto clock = static_cast<TimerClock>(i);
      TimerSlot* const first = top(clock);
      if (first == nullptr || due_from(*first, process_of(actor)) > now_of(clock)) continue;
      if (const auto only = cpu_of(*first); only && *only != cpu) continue;
      const sync::Owner runner(first->runner.load_relaxed());
      if (!runner.is_nobody() && actor.liveness->alive(runner)) {
        // It was armed again meanwhile, and never runs twice at a time.
        first->deadline.store_relaxed(now_of(clock) + kRetry_ns);
        sift(clock, 0);
        continue;
      }
      first->armed.store_relaxed(0);
      first->heap_place.store_relaxed(0);
      remove(clock, 1);  // whatever the slot says of itself
      first->cancelling.store_relaxed(0);
      first->runner.store_relaxed(actor.self.word());
      due = Due{first->name.load_relaxed(),
                first->place(),
                first->its_clock(),
                {first->program.load_relaxed(), first->function.load_relaxed()}};
      const TimerSlot* const following = top(clock);
      others_wait = following != nullptr && following->starter.load_relaxed() != process_of(actor);
    }
  }
  if (others_wait) wake();
  return due;
}

void TimerTable::finished(const sync::Actor& actor, TimerName name) {
  const Hold hold(*this, actor);
  if (TimerSlot* const timer = find(name); timer != nullptr)
    timer->runner.store_release(0);  // pairs with cancel
}

void TimerTable::check(const std::string& where, shm::Findings& findings) const {
  const auto corrupt = [&](const char* what, std::uint64_t number) {
    findings.corrupt(fmt::format("{}: timer {}", where, number), what);
  };
  std::uint32_t armed[kTimerClocks] = {}, used = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> users;
  for (std::uint32_t number = 0; number < slab_.handed_out(); ++number) {
    const TimerSlot& timer = slot(number);
    if (timer.name.load_relaxed() == 0) continue;
    ++used;
    if (find(timer.name.load_relaxed()) != &timer) corrupt("has another's name", number);
    if (timer.program.load_relaxed() != 0)
      ++users[{timer.object.load_relaxed(), timer.program.load_relaxed()}];
    const std::uint32_t place = timer.heap_place.load_relaxed();
    if (timer.armed.load_relaxed() == 0) {
      if (place != 0) corrupt("is not armed, and waits for its time", number);
      continue;
    }
    const TimerClock clock = timer.its_clock();
    ++armed[static_cast<std::uint32_t>(clock)];
    if (place == 0 || place > heap_count(clock).load_relaxed() ||
        heap(clock, place - 1).load_relaxed() != number)
      corrupt("is armed, and not where it says", number);
    else if (place > 1 && slot(std::min(heap(clock, place / 2 - 1).load_relaxed(), slab_.handed_out() - 1))
                                  .deadline.load_relaxed() > timer.deadline.load_relaxed())
      corrupt("comes before one that is before it", number);
  }
  for (std::uint32_t one = 0; one < kTimerClocks; ++one)
    if (heap_count(static_cast<TimerClock>(one)).load_relaxed() != armed[one])
      findings.corrupt(where, "counts other timers than are armed");
  for (const TimerUser& row : header_->users) {
    if (row.count.load_relaxed() == 0) continue;
    const auto found = users.find({row.object.load_relaxed(), row.program.load_relaxed()});
    if (found == users.end() || found->second != row.count.load_relaxed())
      findings.corrupt(where, "counts other users of programs than there are");
    else
      users.erase(found);
  }
  if (!users.empty()) findings.corrupt(where, "does not count all users of programs");
  if (slab_.count_free() + used != slab_.handed_out()) findings.corrupt(where, "has lost timers");
}

}  // namespace portolan::ds
