// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sync/atomic.h"
#include "sync/owner.h"

namespace portolan::sync {

// A lock that outlives its owner's death: one word that names the owner, 0 when free. See robust_lock.cc for
// the essay.
class RobustLock {
 public:
  enum class Taken {
    kClean,
    kRecovered,  // the owner had died inside; the caller must repair what the lock guards before anything
                 // else
  };

  [[nodiscard]] Taken lock(const Actor& actor) {
    std::uint64_t nobody = 0;
    if (word_.cas_acquire(nobody, actor.self.word())) [[likely]]  // pairs with unlock
      return Taken::kClean;
    return lock_contended(actor);
  }
  // False at once if somebody holds it, dead or alive.
  bool try_lock(const Actor& actor) {
    std::uint64_t nobody = 0;
    return word_.cas_acquire(nobody, actor.self.word());  // pairs with unlock
  }
  void unlock() { word_.store_release(0); }  // pairs with lock, try_lock, lock_contended
  Owner owner() const { return Owner(word_.load_relaxed()); }

 private:
  Taken lock_contended(const Actor& actor);
  Atomic<std::uint64_t> word_;
};
static_assert(sizeof(RobustLock) == 8);

// Holds a lock for a scope and, if its owner had died, runs `repair` first.
class RobustGuard {
 public:
  template <class Repair>
  RobustGuard(RobustLock& lock, const Actor& actor, Repair&& repair) : lock_(lock) {
    if (lock_.lock(actor) == RobustLock::Taken::kRecovered) [[unlikely]]
      repair();
  }
  RobustGuard(const RobustGuard&) = delete;
  RobustGuard& operator=(const RobustGuard&) = delete;
  ~RobustGuard() { lock_.unlock(); }

 private:
  RobustLock& lock_;
};

}  // namespace portolan::sync
