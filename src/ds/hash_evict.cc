// SPDX-License-Identifier: Apache-2.0
// A table that evicts makes room for a new key.
#include "ds/hash_writer.h"

namespace portolan::ds {

// Takes the element that is to go out of the table, and is its owner from then on. The caller holds a lane
// and no bucket. kNoElement: whatever was tried was in no use, or changed meanwhile.
std::uint32_t HashTable::evict(const sync::Actor& actor, std::uint64_t tries) const {
  for (; tries != 0; --tries) {
    const std::uint32_t index = order_.next_victim();
    Element* const victim = element(index);
    const std::uint32_t generation = victim->generation.load_acquire();  // pairs with fill
    if ((generation & kFilled) == 0) continue;
    const std::uint64_t hash = hash_of(victim);
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

}  // namespace portolan::ds
