// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::ds {

// Tells readers that hold no lock whether something that they read may have been recycled meanwhile. Lies in
// a region; zero bytes are a new one.
class ReuseVersion {
 public:
  // By a writer, after what it recycles can no longer be reached, and before its bytes change.
  void advance() {
    value_.store_release(value_.load_relaxed() + 1);  // pairs with unchanged
    sync::fence_release();                            // before those bytes change; the same pair
  }
  // Runs `read`, and says whether nothing was recycled meanwhile.
  template <class Read>
  [[gnu::always_inline]] bool unchanged_once(Read&& read) const {
    const std::uint64_t before = value_.load_acquire();  // pairs with advance
    read();
    sync::fence_acquire();
    return value_.load_relaxed() == before;
  }
  // Runs `read` until nothing was recycled meanwhile. False: that never happened, which takes a region that
  // was tampered with.
  template <class Read>
  bool unchanged(Read&& read) const {
    constexpr unsigned kMaxRestarts = 1 << 20;
    for (unsigned tries = 0; tries < kMaxRestarts; ++tries)
      if (unchanged_once(read)) [[likely]]
        return true;
    return false;
  }

 private:
  sync::Atomic<std::uint64_t> value_;
};

}  // namespace portolan::ds
