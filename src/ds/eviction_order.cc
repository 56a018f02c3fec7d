// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Which element of a full table goes when a new one comes.
//
// Sources       CLOCK (one bit for each hit, one hand); the small queue, the main queue and the ghosts of S3-FIFO,
//               here without queues: an element stays in its slot, and hands walk over slots.
//
// Layout        state: hand, demoting_hand, protected_count | hits, a byte a slot | protected, a byte a slot |
//               ghosts, 16 bits for a power of two of places, about as many as slots
//
// How           A new element is on probation. When the hand comes by, it goes if it was not looked up since it came;
//               else it becomes protected, and the hand passes over it from then on. At most nine tenths are
//               protected: beyond that a second hand walks over those that are, forgets that they were looked up, and
//               puts the first that was not back on probation. It moves only as far as places are asked for, so that
//               what is protected has long to be looked up again. A key that went and is back while its ghost is
//               there is protected from the start. So what is looked up again and again survives any number that
//               come once, and what nobody wants any more makes room.
//
// Invariants    None that memory safety or the table need: every bit is a hint, and any bytes are a valid order. Hits
//               may get lost when the hand passes at the same moment. protected_count may drift when processes die;
//               each lap counts anew.
//
// Progress      note_* are wait-free. next_victim looks at each slot at most three times: the first lap clears hits,
//               the second finds what was cleared, the third is for those who come in between; then it takes what
//               lies under the hand. Putting one back looks at kMostLooks at most. Two that ask at once get different
//               slots: the hand moves by a compare-and-swap.
//
// Crash table   killed anywhere: a hint is missing. Nobody repairs it, the next lap goes over it.
// clang-format on
#include "ds/eviction_order.h"

#include <bit>

namespace portolan::ds {
namespace {

constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;

constexpr std::uint32_t kMostLooks = 4096;  // of one demotion

std::uint16_t ghost_of(std::uint64_t hash) { return static_cast<std::uint16_t>((hash >> 16) | 1); }

}  // namespace

std::uint32_t EvictionOrder::ghosts_of(std::uint32_t slots) {
  const std::uint32_t least = slots - slots / 8;  // a few slots too many do not double it
  return least > 1u << 31 ? 1u << 31 : std::bit_ceil(least);
}

std::uint64_t EvictionOrder::size(std::uint32_t slots) {
  return sizeof(State) + 2 * round_up(std::uint64_t{slots}, kAlignment) +
         round_up(std::uint64_t{ghosts_of(slots)} * 2, kAlignment);
}

Result<EvictionOrder> EvictionOrder::attach(Bytes bytes, std::uint32_t slots, std::uint32_t spare) {
  if (slots <= spare || bytes.size() < size(slots)) return fail(EINVAL);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) return fail(EINVAL);
  EvictionOrder order;
  std::byte* at = bytes.data();
  order.state_ = reinterpret_cast<State*>(at);
  at += sizeof(State);
  order.hits_ = reinterpret_cast<sync::Atomic<std::uint8_t>*>(at);
  at += round_up(std::uint64_t{slots}, kAlignment);
  order.protected_ = reinterpret_cast<sync::Atomic<std::uint8_t>*>(at);
  at += round_up(std::uint64_t{slots}, kAlignment);
  order.ghosts_ = reinterpret_cast<sync::Atomic<std::uint16_t>*>(at);
  order.slots_ = slots;
  const std::uint32_t most = slots - spare, on_probation = (most + 9) / 10;
  order.most_protected_ = most - on_probation;
  order.most_with_ghosts_ = order.most_protected_ + on_probation / 2;
  order.ghost_mask_ = ghosts_of(slots) - 1;
  return order;
}

void EvictionOrder::note_insert(std::uint32_t slot, std::uint64_t hash) const {
  hits_[slot].store_relaxed(0);
  const bool was = protected_[slot].load_relaxed() != 0;
  const bool known = ghosts_[(hash >> 32) & ghost_mask_].load_relaxed() == ghost_of(hash);
  const std::uint32_t count = state_->protected_count.load_relaxed();
  // It was given up too early: it gets its place, and another one has to go back.
  if (known && count >= most_protected_) demote_one();
  const bool is = known && count < most_with_ghosts_;
  if (was == is) return;
  protected_[slot].store_relaxed(is ? 1 : 0);
  state_->protected_count.fetch_add_relaxed(is ? 1u : ~0u);
}

void EvictionOrder::note_replace(std::uint32_t old, std::uint32_t fresh) const {
  const std::uint8_t was = protected_[fresh].load_relaxed(), is = protected_[old].load_relaxed();
  if (was != is) {
    protected_[fresh].store_relaxed(is);
    protected_[old].store_relaxed(was);
  }
  hits_[fresh].store_relaxed(1);
}

void EvictionOrder::note_evicted(std::uint64_t hash) const {
  ghosts_[(hash >> 32) & ghost_mask_].store_relaxed(ghost_of(hash));
}

// One that is protected and was not looked up since this hand last came by goes back on probation.
void EvictionOrder::demote_one() const {
  std::uint32_t slot = state_->demoting_hand.load_relaxed();
  for (std::uint32_t looked = 0; looked < kMostLooks; ++looked) {
    if (slot >= slots_) slot = 0;
    const std::uint32_t at = slot++;
    if (protected_[at].load_relaxed() == 0) continue;
    if (hits_[at].load_relaxed() != 0) {
      hits_[at].store_relaxed(0);
      continue;
    }
    protected_[at].store_relaxed(0);
    state_->protected_count.fetch_add_relaxed(~0u);
    break;
  }
  state_->demoting_hand.store_relaxed(slot);
}

// The hand is at slot 0: a time to count what is protected. Eight bytes at a time: the array ends with zeros.
void EvictionOrder::start_lap() const {
  std::uint64_t count = 0;
  for (std::uint32_t slot = 0; slot < slots_; slot += 8)
    count += static_cast<std::uint64_t>(std::popcount(eight_at(slot) & kOnes));
  state_->protected_count.store_relaxed(static_cast<std::uint32_t>(count));
}

std::uint64_t EvictionOrder::eight_at(std::uint32_t slot) const {
  return reinterpret_cast<const sync::Atomic<std::uint64_t>*>(protected_ + slot)->load_relaxed();
}

void EvictionOrder::unprotect_all() const {
  for (std::uint32_t slot = 0; slot < slots_; ++slot)
    if (protected_[slot].load_relaxed() != 0) protected_[slot].store_relaxed(0);
  state_->protected_count.store_relaxed(0);
}

// True: the element goes.
bool EvictionOrder::pass(std::uint32_t slot) const {
  if (protected_[slot].load_relaxed() != 0) return false;
  if (hits_[slot].load_relaxed() == 0) return true;
  hits_[slot].store_relaxed(0);
  if (state_->protected_count.load_relaxed() >= most_protected_) demote_one();
  if (state_->protected_count.load_relaxed() < most_protected_) {
    protected_[slot].store_relaxed(1);
    state_->protected_count.fetch_add_relaxed(1);
  }
  return false;
}

// Whether the eight slots from `slot` on are all protected.
bool EvictionOrder::may_skip_eight(std::uint32_t slot) const {
  return slot % 8 == 0 && slots_ - slot >= 8 && eight_at(slot) == kOnes;
}

std::uint32_t EvictionOrder::next_victim() const {
  const std::uint64_t enough = 3 * std::uint64_t{slots_};
  std::uint32_t hand = state_->hand.load_relaxed();
  while (true) {
    std::uint32_t slot = hand;
    for (std::uint64_t looked = 0;; ++looked) {
      if (slot >= slots_) {
        slot = 0;
        start_lap();
      }
      if (may_skip_eight(slot) && looked < enough) {
        slot += 8;
        looked += 7;
        continue;
      }
      if (pass(slot++) || looked >= enough) break;
    }
    if (state_->hand.cas_acq_rel(hand, slot)) return slot - 1;  // pairs with itself
  }
}

}  // namespace portolan::ds
