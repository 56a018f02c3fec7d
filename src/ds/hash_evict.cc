// SPDX-License-Identifier: Apache-2.0
// A table that evicts makes room for a new key.
#include "ds/hash_writer.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kLookAround = 512;
constexpr unsigned kVictims = 256;  // that an insert tries before it stops all others

}  // namespace

// No element is free but those that lanes keep.
bool HashTable::is_full() const {
  return header_->free_count.load_relaxed() == 0 && header_->handed_out.load_relaxed() >= slab_;
}

// Whether a writer died with a lane in hand, and maybe an element.
bool HashTable::has_dead_holder(const sync::Actor& actor) const {
  for (std::uint32_t at = 0; at < lane_count_; ++at) {
    const sync::Owner owner = lanes_[at].lock.owner();
    if (!owner.is_nobody() && owner != actor.self && !actor.liveness->alive(owner)) return true;
  }
  return false;
}

// Brings near what the next eviction of this hand will need.
void HashTable::prefetch_likely_victim(std::uint32_t hand) const {
  if (is_small_) return;
  const std::uint32_t likely = order_.likely_victim(hand);
  if (likely == EvictionOrder::kNone) return;
  const std::uint64_t hash = hash_of(element(likely));
  __builtin_prefetch(&buckets_[home_of(hash)], 1);
  order_.prefetch(hash);
}

// Takes the element that is to go out of the table, and is its owner from then on. The caller holds a lane
// and no bucket. kNoElement: whatever was tried was in no use, or changed meanwhile.
std::uint32_t HashTable::evict(const sync::Actor& actor, std::uint32_t hand, std::uint64_t tries) const {
  for (; tries != 0; --tries) {
    const std::uint32_t index = order_.next_victim(hand);
    Element* const victim = element(index);
    const std::uint32_t generation = victim->generation.load_acquire();  // pairs with fill
    if ((generation & kFilled) == 0) continue;
    const std::uint64_t hash = hash_of(victim);
    prefetch_likely_victim(hand);
    BucketHold hold(*this, actor, home_of(hash));
    Found found;
    if (!find_slot_of(index, hash, found)) continue;
    // The same generation before and after: the key was that of the hash all the while, so the slot is that
    // key's, and with its home in hand it stays.
    if ((victim->generation.load_relaxed() | kSettled) != (generation | kSettled)) continue;
    order_.note_evicted(hash);
    remove(found, hash);
    return index;
  }
  return kNoElement;
}

bool HashTable::LaneHold::evict_one() {
  if (table_.header_->leaks.load_relaxed() != 0) return false;
  // Now and then, a look at who holds lanes: what a dead one has must not be missing for ever.
  thread_local std::uint32_t evictions = 0;
  if (evictions % kLookAround == 0 && table_.has_dead_holder(actor_)) return false;
  ++evictions;
  const std::uint32_t victim = table_.evict(actor_, number(), kVictims);
  if (victim == kNoElement) return false;
  push(victim);
  return true;
}

}  // namespace portolan::ds
