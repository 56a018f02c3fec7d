// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::ds {

// Whether somebody sleeps until there is something to see, and has been woken. Lies in a region; zero bytes:
// nobody watches.
class Watch {
 public:
  // Somebody watches from now on, and no wakeup has been given to it.
  void begin() { state_.store_seq_cst(kWatched); }  // pairs with gives_wakeup
  // By whoever would wake: whether to do so. No more until the watcher has taken it.
  bool gives_wakeup() {
    std::uint32_t watched = kWatched;
    return state_.cas_acq_rel(watched, kNotified);  // pairs with begin, take
  }
  // By the watcher, before it looks.
  void take() {
    state_.store_seq_cst(kWatched);  // what comes after this look gives another wakeup
    sync::fence_seq_cst();           // pairs with that of whoever put something there
  }

 private:
  enum State : std::uint32_t { kNobody, kWatched, kNotified };
  sync::Atomic<std::uint32_t> state_;
};

}  // namespace portolan::ds
