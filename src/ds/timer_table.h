// SPDX-License-Identifier: Apache-2.0
// Timers that several processes share, and work, which is due at once: whoever lives carries out what is due.
// See timer_table.cc for the essay.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "ds/slab.h"
#include "shm/findings.h"
#include "shm/region.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

enum class TimerClock : std::uint32_t {
  kMonotonic,
  kBoottime,
  kAtOnce  // of work: it is due when it is started, and comes once, however often it was started before
};
inline constexpr std::uint32_t kTimerClocks = 3;
std::uint64_t now_of(TimerClock clock);  // ns

// A timer, by a number that is never that of another one. 0: none.
using TimerName = std::uint64_t;

// Where a timer lies: in which object, and where in it. What the numbers mean is the caller's business.
struct TimerPlace {
  std::uint32_t object = 0;
  std::uint64_t at = 0;
  friend bool operator==(const TimerPlace&, const TimerPlace&) = default;
};
// What is called when it is due: a function of a program. `program` 0: nothing.
struct TimerCallback {
  std::uint32_t program = 0;
  std::uint32_t function = 0;
};
// Objects refer to the programs that their timers call: `object` now does, or no longer needs to.
struct TimerEdge {
  std::uint32_t object = 0;
  std::uint32_t program = 0;  // 0: none
};

struct TimerSlot;
struct TimerHeader;

// A process-local view. All methods are thread-safe and may run in several processes at once.
class TimerTable {
 public:
  static constexpr std::uint32_t kMostTimers = 4 << 20;
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  struct Sizes {
    std::uint64_t total, reserved;
  };
  static Sizes sizes(std::uint64_t offset);
  // Writes an empty table at `offset` (64-aligned) of `region` (zero bytes so far).
  static void format(const shm::Region& region, std::uint64_t offset);
  // EINVAL: the region is too small.
  static Result<TimerTable> attach(shm::Region& region, std::uint64_t offset);

  // ENOMEM. `was`: what the place says of itself, or 0; EBUSY: that is a timer of this place.
  Result<TimerName> make(const sync::Actor& actor, TimerName was, TimerPlace place, TimerClock clock);
  // Edges that are no longer needed: to what it called before, and one more than needed.
  struct Unneeded {
    TimerEdge before, surplus;
  };
  // What it calls from now on. EINVAL: no such timer. ENOMEM. ENOENT: there must be an edge first, and
  // `has_edge` says that none was made for this call.
  Result<Unneeded> set_callback(const sync::Actor& actor, TimerName name, TimerCallback callback,
                                bool has_edge);
  struct Start {
    std::uint64_t ns;
    bool is_absolute;
    std::optional<std::uint32_t> cpu;  // the only one that it may be carried out on
  };
  // EINVAL: no such timer, or it calls nothing. Of work, nothing that `start` says counts.
  Result<void> start(const sync::Actor& actor, TimerName name, const Start& start);
  struct Cancelled {
    bool was_armed;
    TimerEdge edge;
  };
  // Takes its callback away, and waits until whoever carries it out has done so. `own`: the timer that the
  // caller is carrying out, or 0. EINVAL: no such timer. EDEADLK: it is `own`, or somebody waits for that
  // one.
  Result<Cancelled> cancel(const sync::Actor& actor, TimerName name, TimerName own);
  // The timer is no more; waits for nobody.
  TimerEdge free(const sync::Actor& actor, TimerName name);
  std::optional<TimerPlace> place_of(const sync::Actor& actor, TimerName name);

  // For walks: numbers below count() name all timers there are, and others.
  std::uint32_t count() const { return slab_.handed_out(); }
  struct Known {
    TimerName name;
    TimerPlace place;
    TimerClock clock;
    bool is_running;
  };
  std::optional<Known> timer(const sync::Actor& actor, std::uint32_t number);
  // Whether so many have been made since the last sweep that another one is worth it. True once.
  bool is_time_to_sweep(const sync::Actor& actor);

  // --- for those who carry timers out
  struct Due {
    TimerName name;
    TimerPlace place;
    TimerClock clock;
    TimerCallback callback;
  };
  struct Next {
    std::uint64_t wait_ns;             // 0: now; kNever: nothing is armed
    std::optional<std::uint32_t> cpu;  // where it must be carried out
  };
  // When this process should look again.
  Next next(const sync::Actor& actor);
  // What this process is to carry out now, on that CPU: it must call finished().
  std::optional<Due> take_due(const sync::Actor& actor, std::uint32_t cpu);
  void finished(const sync::Actor& actor, TimerName name);
  // Counts up when next() may say another thing; sleepers on it are woken.
  const sync::Atomic<std::uint32_t>& changes() const;
  void wake();

  // Checks every invariant; nobody may write meanwhile.
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  class Hold;
  TimerTable() = default;
  TimerSlot* find(TimerName name) const;
  TimerSlot& slot(std::uint32_t number) const;
  sync::Atomic<std::uint32_t>& heap(TimerClock clock, std::uint32_t at) const;
  sync::Atomic<std::uint32_t>& heap_count(TimerClock clock) const;
  TimerSlot* top(TimerClock clock) const;
  void put(TimerClock clock, std::uint32_t at, std::uint32_t number) const;
  void sift(TimerClock clock, std::uint32_t at) const;
  void insert(TimerSlot& timer) const;
  void remove(TimerClock clock, std::uint32_t place) const;
  bool disarm(TimerSlot& timer) const;
  bool count_user(TimerEdge edge, int change) const;
  bool has_users(TimerEdge edge) const;
  TimerEdge drop_callback(TimerSlot& timer) const;
  void repair() const;

  TimerHeader* header_ = nullptr;
  shm::Region* region_ = nullptr;
  std::uint64_t heaps_offset_ = 0;
  Slab slab_;
};

}  // namespace portolan::ds
