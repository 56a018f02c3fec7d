// SPDX-License-Identifier: Apache-2.0
// What lies in the file of a timer table: included by its sources only. Who writes what, and when:
// timer_table.cc.
#pragma once
#include "ds/timer_table.h"

namespace portolan::ds {

inline constexpr std::uint32_t kTimerUsers = 1024;

struct TimerSlot {
  sync::Atomic<std::uint64_t> name;      // 0: free
  sync::Atomic<std::uint64_t> at;        // TimerPlace
  sync::Atomic<std::uint64_t> deadline;  // ns of its clock
  sync::Atomic<std::uint64_t> starter;   // the process that armed it: an Owner without a thread
  sync::Atomic<std::uint64_t> runner;    // the Owner that carries it out; 0: nobody
  sync::Atomic<std::uint32_t> object;    // TimerPlace
  sync::Atomic<std::uint32_t> program;   // TimerCallback
  sync::Atomic<std::uint32_t> function;
  sync::Atomic<std::uint32_t> clock;
  sync::Atomic<std::uint32_t> cpu;  // the only one, + 1; 0: any
  sync::Atomic<std::uint32_t> armed;
  sync::Atomic<std::uint32_t> heap_place;  // + 1; 0: in no heap
  sync::Atomic<std::uint32_t> cancelling;  // who wait for it in callbacks
  sync::Atomic<std::uint32_t> generation;
  sync::Atomic<std::uint32_t> link;  // of free ones

  TimerClock its_clock() const { return static_cast<TimerClock>(clock.load_relaxed() % kTimerClocks); }
  TimerPlace place() const { return {object.load_relaxed(), at.load_relaxed()}; }
};
static_assert(sizeof(TimerSlot) % 8 == 0);

struct TimerUser {
  sync::Atomic<std::uint32_t> object, program, count;  // count 0: no row
};

struct TimerHeader {
  sync::RobustLock lock;
  sync::Atomic<std::uint32_t> changes;
  sync::Atomic<std::uint32_t> made_since_sweep, sweep_after;
  std::uint32_t salt;  // so that names of another table stand for nothing here
  SlabState slab;
  sync::Atomic<std::uint32_t> heap_counts[kTimerClocks];
  TimerUser users[kTimerUsers];
};

}  // namespace portolan::ds
