// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Which element of a full table goes when a new one comes.
//
// Sources       CLOCK (one bit for each hit, a hand); the small queue, the main queue and the ghosts of S3-FIFO, here
//               without queues: an element stays in its slot, and hands walk over slots.
//
// Layout        state: where the next stretches begin, protected_count | hands, a line each | hits, a byte a slot |
//               protected, a byte a slot | ghosts, 16 bits for a power of two of places, about as many as slots
//
// How           A new element is on probation. When a hand comes by, it goes if it was not looked up since it came; else
//               it becomes protected, and hands pass over it from then on. At most nine tenths are protected: beyond
//               that another walk goes over those that are, forgets that they were looked up, and puts the first that
//               was not back on probation. It moves only as far as places are asked for, so that what is protected has
//               long to be looked up again. A key that went and is back while its ghost is there is protected from the
//               start. So what is looked up again and again survives any number that come once, and what nobody wants
//               any more makes room.
//
//               Both walks go around all slots, a stretch at a time: a hand takes the next one for itself, so that
//               hands that work at the same time share no lines. Where one hand works alone, its stretches follow
//               each other. What a hand that rests has left of its stretch waits for the next lap, or for that hand.
//
// Invariants    None that memory safety or the table need: every bit is a hint, and any bytes are a valid order. Hits
//               may get lost when a hand passes at the same moment. protected_count may drift when processes die; each
//               lap counts anew.
//
// Progress      note_* are wait-free. next_victim looks at each slot at most three times: the first lap clears hits,
//               the second finds what was cleared, the third is for those who come in between; then it takes what
//               lies under the hand. Putting one back looks at kMostLooks at most. Two hands get different slots: a
//               stretch is taken by a compare-and-swap.
//
// Crash table   killed anywhere: a hint is missing. Nobody repairs it, the next lap goes over it.
// clang-format on
#include "ds/eviction_order.h"

#include <algorithm>
#include <bit>

namespace portolan::ds {
namespace {

constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;

constexpr std::uint32_t kMostLooks = 4096;  // of one demotion
// Of the slots, at most a quarter lie in stretches of hands that rest, when there are 32.
constexpr std::uint32_t kStretches = 128, kLongestStretch = 64;

}  // namespace

std::uint32_t EvictionOrder::ghosts_of(std::uint32_t slots) {
  const std::uint32_t least = slots - slots / 8;  // a few slots too many do not double it
  return least > 1u << 31 ? 1u << 31 : std::bit_ceil(least);
}

std::uint64_t EvictionOrder::size(const Shape& shape) {
  return sizeof(State) + shape.hands * sizeof(Hand) + 2 * round_up(std::uint64_t{shape.slots}, kAlignment) +
         round_up(std::uint64_t{ghosts_of(shape.slots)} * 2, kAlignment);
}

Result<EvictionOrder> EvictionOrder::attach(Bytes bytes, const Shape& shape) {
  if (shape.slots <= shape.spare || shape.hands == 0 || bytes.size() < size(shape)) return fail(EINVAL);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) return fail(EINVAL);
  EvictionOrder order;
  std::byte* at = bytes.data();
  order.state_ = reinterpret_cast<State*>(at);
  at += sizeof(State);
  order.hands_ = reinterpret_cast<Hand*>(at);
  at += shape.hands * sizeof(Hand);
  order.hits_ = reinterpret_cast<sync::Atomic<std::uint8_t>*>(at);
  at += round_up(std::uint64_t{shape.slots}, kAlignment);
  order.protected_ = reinterpret_cast<sync::Atomic<std::uint8_t>*>(at);
  at += round_up(std::uint64_t{shape.slots}, kAlignment);
  order.ghosts_ = reinterpret_cast<sync::Atomic<std::uint16_t>*>(at);
  order.slots_ = shape.slots;
  order.stretch_ = std::clamp<std::uint32_t>(std::bit_floor(shape.slots / kStretches), 1, kLongestStretch);
  const std::uint32_t most = shape.slots - shape.spare, on_probation = (most + 9) / 10;
  order.most_protected_ = most - on_probation;
  order.most_with_ghosts_ = order.most_protected_ + on_probation / 2;
  order.ghost_mask_ = ghosts_of(shape.slots) - 1;
  return order;
}

void EvictionOrder::note_insert(std::uint32_t hand, std::uint32_t slot, std::uint64_t hash) const {
  hits_[slot].store_relaxed(0);
  const bool was = protected_[slot].load_relaxed() != 0;
  const bool known = ghost_at(hash).load_relaxed() == ghost_of(hash);
  const std::uint32_t count = state_->protected_count.load_relaxed();
  const bool is = known && count < most_with_ghosts_;
  // It was given up too early: it gets its place, and another one has to go back.
  const bool demoted = known && count >= most_protected_ && demote_one(hand);
  if (was != is) protected_[slot].store_relaxed(is ? 1 : 0);
  if (const int change = is - was - demoted; change != 0)
    state_->protected_count.fetch_add_relaxed(static_cast<std::uint32_t>(change));
}

void EvictionOrder::note_replace(std::uint32_t old, std::uint32_t fresh) const {
  const std::uint8_t was = protected_[fresh].load_relaxed(), is = protected_[old].load_relaxed();
  if (was != is) {
    protected_[fresh].store_relaxed(is);
    protected_[old].store_relaxed(was);
  }
  hits_[fresh].store_relaxed(1);
}

// What is left of a stretch. Bytes that are no stretch are one that is over.
EvictionOrder::Place EvictionOrder::place(const Stretch& stretch) const {
  const std::uint32_t at = stretch.at.load_relaxed(), end = stretch.end.load_relaxed();
  return end <= slots_ ? Place{at, end} : Place{0, 0};
}

EvictionOrder::Place EvictionOrder::take_stretch(sync::Atomic<std::uint32_t>& taken) const {
  std::uint32_t before = taken.load_relaxed();
  for (;;) {
    const std::uint32_t at = before < slots_ ? before : 0, end = at + std::min(stretch_, slots_ - at);
    if (taken.cas_acq_rel(before, end)) return {at, end};  // pairs with itself
  }
}

// Protected and not looked up since this walk last came by: one such goes back on probation. The caller
// counts.
bool EvictionOrder::demote_one(std::uint32_t hand) const {
  Stretch& stretch = hands_[hand].demotions;
  Place now = place(stretch);
  bool found = false;
  for (std::uint32_t looked = 0; looked < kMostLooks && !found; ++looked) {
    if (now.at >= now.end) {
      now = take_stretch(state_->demotions_taken);
      stretch.end.store_relaxed(now.end);
    }
    const std::uint32_t slot = now.at++;
    if (protected_[slot].load_relaxed() == 0) continue;
    found = hits_[slot].load_relaxed() == 0;
    (found ? protected_ : hits_)[slot].store_relaxed(0);
  }
  stretch.at.store_relaxed(now.at);
  return found;
}

// A lap begins: a time to count. Eight bytes at a time: the array ends with zeros.
void EvictionOrder::count_protected() const {
  std::uint64_t count = 0;
  for (std::uint32_t slot = 0; slot < slots_; slot += 8)
    count += static_cast<std::uint64_t>(std::popcount(eight_at(protected_, slot) & kOnes));
  state_->protected_count.store_relaxed(static_cast<std::uint32_t>(count));
}

std::uint64_t EvictionOrder::eight_at(const sync::Atomic<std::uint8_t>* marks, std::uint32_t slot) const {
  return reinterpret_cast<const sync::Atomic<std::uint64_t>*>(marks + slot)->load_relaxed();
}

void EvictionOrder::unprotect_all() const {
  for (std::uint32_t slot = 0; slot < slots_; ++slot)
    if (protected_[slot].load_relaxed() != 0) protected_[slot].store_relaxed(0);
  state_->protected_count.store_relaxed(0);
}

// The element was looked up while on probation.
void EvictionOrder::protect(std::uint32_t hand, std::uint32_t slot) const {
  hits_[slot].store_relaxed(0);
  const std::uint32_t count = state_->protected_count.load_relaxed();
  const bool demoted = count >= most_protected_ && demote_one(hand);
  const bool is = demoted ? count <= most_protected_ : count < most_protected_;
  if (is) protected_[slot].store_relaxed(1);
  if (is != demoted) state_->protected_count.fetch_add_relaxed(is ? 1u : ~0u);
}

std::uint32_t EvictionOrder::next_victim(std::uint32_t hand) const {
  const std::uint64_t enough = 3 * std::uint64_t{slots_};
  Stretch& stretch = hands_[hand].victims;
  Place now = place(stretch);
  std::uint32_t victim = kNone;
  for (std::uint64_t looked = 0; victim == kNone;) {
    if (now.at >= now.end) {
      now = take_stretch(state_->victims_taken);
      if (now.at == 0) count_protected();
      stretch.end.store_relaxed(now.end);
    }
    // The first that is not protected, of the eight bytes that now.at lies in.
    const std::uint32_t first = now.at & ~7u;
    const std::uint64_t open = ~eight_at(protected_, first) & kOnes << (now.at - first) * 8;
    std::uint32_t slot =
        open == 0 ? first + 8 : first + static_cast<std::uint32_t>(std::countr_zero(open)) / 8;
    looked += slot - now.at + 1;
    if (looked > enough) slot = now.at;  // all are protected, whatever the count says
    now.at = slot;
    if (slot >= now.end || (open == 0 && looked <= enough)) continue;
    now.at = slot + 1;
    if (hits_[slot].load_relaxed() == 0 || looked > enough)
      victim = slot;
    else
      protect(hand, slot);
  }
  stretch.at.store_relaxed(now.at);
  return victim;
}

std::uint32_t EvictionOrder::likely_victim(std::uint32_t hand) const {
  constexpr std::uint32_t kLooks = 4;
  const Place now = place(hands_[hand].victims);
  std::uint64_t wanted = kOnes << now.at % 8 * 8;
  for (std::uint32_t first = now.at & ~7u, looks = 0; first < now.end && looks < kLooks;
       first += 8, ++looks) {
    const std::uint64_t open = ~(eight_at(protected_, first) | eight_at(hits_, first)) & wanted;
    const std::uint32_t slot = first + static_cast<std::uint32_t>(std::countr_zero(open)) / 8;
    if (open != 0) return slot < now.end ? slot : kNone;
    wanted = kOnes;
  }
  return kNone;
}

}  // namespace portolan::ds
