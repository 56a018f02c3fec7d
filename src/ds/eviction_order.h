// SPDX-License-Identifier: Apache-2.0
// Which of the elements of a full table is to go. Knows nothing of the table: elements are slots 0 … n - 1.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "sync/atomic.h"

namespace portolan::ds {

// See eviction_order.cc for the essay. A view of memory that must outlive it. All methods are thread-safe,
// may run in several processes at once, and never wait.
class EvictionOrder {
 public:
  static constexpr std::uint64_t kAlignment = 64;
  EvictionOrder() = default;  // of no slots: not to be asked
  static std::uint64_t size(std::uint32_t slots);
  // Zero bytes are an order in which nothing was ever looked up. `spare`: how many slots are in no use even
  // when the table is full, fewer than all. EINVAL: too few bytes, or not aligned.
  static Result<EvictionOrder> attach(Bytes bytes, std::uint32_t slots, std::uint32_t spare = 0);

  // The element was looked up. Writes only if nobody did so since the hand passed it.
  void note_hit(std::uint32_t slot) const {
    if (hits_[slot].load_relaxed() == 0) hits_[slot].store_relaxed(1);
  }
  // A new element is about to be in `slot`, whose key has this hash.
  void note_insert(std::uint32_t slot, std::uint64_t hash) const;
  // A new value of the key of `old` is about to be in `fresh`.
  void note_replace(std::uint32_t old, std::uint32_t fresh) const;
  // The one to go next. It may be one that is in no use; then ask again.
  std::uint32_t next_victim() const;
  // It went, and was of a key with this hash.
  void note_evicted(std::uint64_t hash) const;

  // Nothing is protected any more: what is in use will be a victim within two laps.
  void unprotect_all() const;

  std::uint32_t protected_count() const { return state_->protected_count.load_relaxed(); }

 private:
  struct alignas(kAlignment) State {
    sync::Atomic<std::uint32_t> hand;
    sync::Atomic<std::uint32_t> demoting_hand;
    sync::Atomic<std::uint32_t> protected_count;
  };
  bool pass(std::uint32_t slot) const;
  bool may_skip_eight(std::uint32_t slot) const;
  void demote_one() const;
  void start_lap() const;
  std::uint64_t eight_at(std::uint32_t slot) const;
  static std::uint32_t ghosts_of(std::uint32_t slots);

  State* state_ = nullptr;
  sync::Atomic<std::uint8_t>* hits_ = nullptr;       // 1: looked up since the hand passed
  sync::Atomic<std::uint8_t>* protected_ = nullptr;  // 1: the hand passes on
  sync::Atomic<std::uint16_t>* ghosts_ = nullptr;    // pieces of hashes of keys that went
  std::uint32_t slots_ = 0, most_protected_ = 0, ghost_mask_ = 0;
  std::uint32_t most_with_ghosts_ = 0;  // a little more than most_protected_, and fewer than can be in use
};

}  // namespace portolan::ds
