// SPDX-License-Identifier: Apache-2.0
// Which of the elements of a full table is to go. Knows nothing of the table: elements are slots 0 … n - 1.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "sync/atomic.h"

namespace portolan::ds {

// See eviction_order.cc for the essay. A view of memory that must outlive it. All methods are thread-safe,
// may run in several processes at once, and never wait; but only one at a time may use a `hand`.
class EvictionOrder {
 public:
  static constexpr std::uint64_t kAlignment = 64;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Shape {
    std::uint32_t slots;      // more than spare
    std::uint32_t hands = 1;  // ≥ 1: how many may look for victims at the same time
    std::uint32_t spare = 0;  // slots that are in no use even when the table is full
  };

  EvictionOrder() = default;  // of no slots: not to be asked
  static std::uint64_t size(const Shape& shape);
  // Zero bytes are an order in which nothing was ever looked up. EINVAL: not a shape, too few bytes, or not
  // aligned.
  static Result<EvictionOrder> attach(Bytes bytes, const Shape& shape);

  // The element was looked up. Writes only if nobody did so since a hand passed it.
  void note_hit(std::uint32_t slot) const {
    if (hits_[slot].load_relaxed() == 0) hits_[slot].store_relaxed(1);
  }
  // A new element is about to be in `slot`, whose key has this hash.
  void note_insert(std::uint32_t hand, std::uint32_t slot, std::uint64_t hash) const;
  // A new value of the key of `old` is about to be in `fresh`.
  void note_replace(std::uint32_t old, std::uint32_t fresh) const;
  // The one to go next. It may be one that is in no use; then ask again.
  std::uint32_t next_victim(std::uint32_t hand) const;
  // What next_victim will probably answer next; kNone: hard to say.
  std::uint32_t likely_victim(std::uint32_t hand) const;
  // It went, and was of a key with this hash.
  void note_evicted(std::uint64_t hash) const { ghost_at(hash).store_relaxed(ghost_of(hash)); }
  // Brings near what note_insert and note_evicted touch for this hash.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&ghost_at(hash), 1); }

  // Nothing is protected any more: what is in use will be a victim within two laps.
  void unprotect_all() const;

  std::uint32_t protected_count() const { return state_->protected_count.load_relaxed(); }

 private:
  // A stretch of slots that is one hand's to go over.
  struct Stretch {
    sync::Atomic<std::uint32_t> at, end;
  };
  struct alignas(kAlignment) Hand {
    Stretch victims, demotions;
  };
  struct alignas(kAlignment) State {
    sync::Atomic<std::uint32_t> victims_taken, demotions_taken;  // where the next stretches begin
    sync::Atomic<std::uint32_t> protected_count;
  };
  struct Place {
    std::uint32_t at, end;
  };
  Place place(const Stretch& stretch) const;
  Place take_stretch(sync::Atomic<std::uint32_t>& taken) const;
  void protect(std::uint32_t hand, std::uint32_t slot) const;
  bool demote_one(std::uint32_t hand) const;
  void count_protected() const;
  std::uint64_t eight_at(const sync::Atomic<std::uint8_t>* marks, std::uint32_t slot) const;
  static std::uint32_t ghosts_of(std::uint32_t slots);
  static std::uint16_t ghost_of(std::uint64_t hash) { return static_cast<std::uint16_t>((hash >> 16) | 1); }
  sync::Atomic<std::uint16_t>& ghost_at(std::uint64_t hash) const {
    return ghosts_[(hash >> 32) & ghost_mask_];
  }

  State* state_ = nullptr;
  Hand* hands_ = nullptr;
  sync::Atomic<std::uint8_t>* hits_ = nullptr;       // 1: looked up since a hand passed
  sync::Atomic<std::uint8_t>* protected_ = nullptr;  // 1: hands pass on
  sync::Atomic<std::uint16_t>* ghosts_ = nullptr;    // pieces of hashes of keys that went
  std::uint32_t slots_ = 0, stretch_ = 0, most_protected_ = 0, ghost_mask_ = 0;
  std::uint32_t most_with_ghosts_ = 0;  // a little more than most_protected_, and fewer than can be in use
};

}  // namespace portolan::ds
