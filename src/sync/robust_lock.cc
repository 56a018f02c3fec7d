// SPDX-License-Identifier: Apache-2.0
// A lock in shared memory that outlives its owner. The idea is that of robust futexes without the kernel's
// list: the word itself names the owner, so that whoever waits can ask whether that owner lives.
//
// Layout       one 64-bit word: 0, or the Owner (slot, incarnation, thread) that is inside.
// Invariants   only the owner it names writes 0; only a CAS from 0, or from a dead owner, names another.
// Linearization lock: the CAS that names the caller. unlock: the store of 0.
// Progress     blocking. A waiter spins, then yields, then sleeps up to 50 µs between looks; when it has
// waited some
//              thousand spins it asks Liveness, and does so again from time to time. A stopped owner makes
//              others wait.
// Crash table  killed before the CAS: nothing happened. Killed between CAS and store of 0: the word names a
// dead owner;
//              the first waiter whose CAS from that owner to itself succeeds gets kRecovered, and repairs.
//              Exactly one can succeed, since the CAS changes the word; the others see a living owner. Killed
//              after the store: free.
#include "sync/robust_lock.h"

#include "base/assert.h"
#include "base/sys.h"

namespace portolan::sync {

RobustLock::Taken RobustLock::lock_contended(const Actor& actor) {
  for (std::uint32_t round = 1;; ++round) {
    std::uint64_t seen = word_.load_relaxed();
    if (seen == 0) {
      if (word_.cas_acquire(seen, actor.self.word())) return Taken::kClean;  // pairs with unlock
      continue;
    }
    PORTOLAN_ASSERT(seen != actor.self.word());  // a thread that waits for itself would wait for ever
    if (round % 2048 == 0 && !actor.liveness->alive(Owner(seen))) {
      if (word_.cas_acquire(seen, actor.self.word()))
        return Taken::kRecovered;  // the dead owner's stores: by its death
      continue;
    }
    if (round < 1024)
      spin_hint();
    else if (round < 4096)
      sys::yield();
    else
      sys::sleep_ns(50'000);
  }
}

}  // namespace portolan::sync
