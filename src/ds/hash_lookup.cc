// SPDX-License-Identifier: Apache-2.0
// Walks over the slab, and the read side's cold parts.
#include "ds/hash_lookup.h"

namespace portolan::ds {

void HashTable::read_key(Element* from, void* key) const {
  if (shape_.key_size <= 4) {
    const std::uint32_t word = from->word.load_acquire();
    std::memcpy(key, &word, shape_.key_size);
  } else {
    sync::copy_from_shared(key, key_of(from), shape_.key_size);
    sync::fence_acquire();
  }
}

// Whether a key with this hash would be looked for in this bucket.
bool HashTable::reaches(Hash hash, std::uint32_t bucket) const {
  if (bucket == hash.home) return true;
  const std::uint16_t spill = buckets_[hash.home].spill.load_acquire();
  const std::uint32_t steps = bucket > hash.home ? bucket - hash.home : bucket_count_ - hash.home + bucket;
  return (spill & hash.spill_bit) != 0 && steps <= Spill::distance(spill);
}

// Whether a bucket refers to the element: the slow way, for elements in doubt.
bool HashTable::is_committed(std::uint32_t index) const {
  alignas(8) std::byte key[kMaxKeySize];
  read_key(element(index), key);
  Found found;
  return locate(key, hash(key), found) && found.index == index;
}

bool HashTable::next(std::uint32_t& cursor, void* key, void* value) const {
  std::uint32_t end = header_->handed_out.load_acquire();  // pairs with hand_out
  if (end > slab_) end = slab_;
  for (std::uint32_t index = cursor + 1; index < end; ++index) {
    Element* const at = element(index);
    for (unsigned tries = 0; tries < kMaxRestarts; ++tries) {
      const std::uint32_t generation = at->generation.load_acquire();  // pairs with fill
      if ((generation & kFilled) == 0) break;
      if ((generation & kSettled) == 0 && !is_committed(index)) break;
      if (key != nullptr) read_key(at, key);
      if (value != nullptr) {
        sync::copy_from_shared(value, value_of(at), shape_.value_size);
        sync::fence_acquire();
      }
      if (((at->generation.load_relaxed() ^ generation) & ~kSettled) != 0) continue;
      cursor = index;
      return true;
    }
  }
  return false;
}

std::uint32_t HashTable::cursor_of(const void* key) const {
  Found found;
  return locate(key, hash(key), found) ? found.index : kBegin;
}

std::uint32_t HashTable::count() const {
  std::uint32_t total = 0;
  for (std::uint32_t at = 0; at < bucket_count_; ++at)
    total += kBucketSlots - static_cast<std::uint32_t>(__builtin_popcount(match_tags(buckets_[at], 0)));
  return total;
}

}  // namespace portolan::ds
