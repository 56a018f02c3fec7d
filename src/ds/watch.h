// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "sync/atomic.h"

namespace portolan::ds {

// Whether somebody sleeps until there is something to see, and has been woken. Lies in a region; zero bytes:
// nobody watches.
//
// Who wakes does so between wanted() and given(): if it dies there, the next one wakes too. The word counts
// how often the watcher has looked, so that a given() that comes late says nothing about what came after.
class Watch {
 public:
  using Word = std::uint32_t;
  // By the watcher: from now on it wants a wakeup, and has been given none. Before it looks.
  void begin() {
    Word word = state_.load_relaxed();
    while (!state_.cas_acq_rel(word, ((word >> kBits) + 1) << kBits | kWatched)) {  // pairs with wanted
    }
    sync::fence_seq_cst();  // pairs with that of whoever put something there
  }
  // By whoever would wake, after a fence: nothing, if nobody watches, or one has been woken already.
  std::optional<Word> wanted() const {
    const Word word = state_.load_acquire();  // pairs with begin
    return (word & kState) == kWatched ? std::optional(word) : std::nullopt;
  }
  // It was woken.
  void given(Word wanted) { (void)state_.cas_acq_rel(wanted, (wanted & ~kState) | kNotified); }

 private:
  static constexpr unsigned kBits = 2;
  static constexpr Word kState = 3, kWatched = 1, kNotified = 2;
  sync::Atomic<Word> state_;
};

}  // namespace portolan::ds
