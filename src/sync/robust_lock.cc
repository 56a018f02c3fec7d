// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A lock in shared memory that outlives its owner.
//
// Source        robust futexes, without the kernel's list of held locks: the word itself names its owner, so
//               whoever waits can ask whether that owner lives. No system call on the way in or out.
//
// Layout        one 64-bit word: 0, or the Owner (slot, incarnation, thread) that is inside.
//
// Invariants    I1 only the owner that the word names stores 0;
//               I2 only a CAS from 0, or from a dead owner, writes another name.
//
// Linearization lock: the CAS that writes the caller's name. unlock: the store of 0.
//
// Progress      blocking, unfair. A waiter looks at the word ever more rarely, for about 40 µs, since each look
//               takes the line from the owner, who needs it again; then it gives its processor away; then it sleeps
//               50 µs at a time. It asks Liveness after the spinning and every few milliseconds from then on. A
//               stopped owner makes others wait. A thread that waits for itself would wait for ever: that asserts.
//
// Takeover      Liveness says "dead" for certain only, and an owner that is dead stores nothing any more (I1). So
//               the word keeps the dead name until a waiter's CAS from that very name succeeds. That can happen
//               once: names are never used twice (the incarnation), so no later word equals it.
//
// Crash table   killed …                    others see                 repaired by
//               before the CAS              nothing                    –
//               between CAS and store of 0  the name of a dead owner   the waiter whose CAS takes it over: it gets
//                                                                      kRecovered and repairs what the lock guards
//               while repairing             the same                   the next, in the same way: a repair must be
//                                                                      one that can be begun again
//               after the store of 0        nothing                    –
// clang-format on
#include "sync/robust_lock.h"

#include <algorithm>

#include "base/assert.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

constexpr std::uint32_t kSpins = 18, kMostPausesLog = 8;
constexpr std::uint32_t kYields = 1024;
constexpr std::uint64_t kSleep_ns = 50'000;
constexpr std::uint32_t kSleepsBetweenQuestions = 32, kYieldsBetweenQuestions = 32;

// What to do in the given round of waiting; true when it is time to ask whether the owner lives.
bool wait_a_little(std::uint32_t round) {
  if (round < kSpins) {
    for (std::uint32_t pause = 0; pause < 1u << std::min(round, kMostPausesLog); ++pause) spin_hint();
    return false;
  }
  if (round < kSpins + kYields) {
    sys::yield();
    return (round - kSpins) % kYieldsBetweenQuestions == 0;  // each may cost a time slice
  }
  sys::sleep_ns(kSleep_ns);
  return (round - kSpins - kYields) % kSleepsBetweenQuestions == 0;
}

}  // namespace

RobustLock::Taken RobustLock::lock_contended(const Actor& actor) {
  for (std::uint32_t round = 0;; ++round) {
    std::uint64_t seen = word_.load_relaxed();
    if (seen == 0) {
      if (word_.cas_acquire(seen, actor.self.word())) return Taken::kClean;  // pairs with unlock
      continue;
    }
    PORTOLAN_ASSERT(seen != actor.self.word());
    if (!wait_a_little(round) || actor.liveness->alive(Owner(seen))) continue;
    // What the dead owner stored is seen here: its death, which Liveness observed, came after.
    if (word_.cas_acquire(seen, actor.self.word())) return Taken::kRecovered;
  }
}

}  // namespace portolan::sync
