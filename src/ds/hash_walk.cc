// SPDX-License-Identifier: Apache-2.0
// Walks over the slab that take many elements at a time.
#include "ds/hash_lookup.h"

namespace portolan::ds {

// As next() does, but one look at an element that is settled, whole and quiet costs a handful of loads; any
// other goes to next().
std::uint32_t HashTable::next_many_words(std::uint32_t& cursor, std::byte* keys, std::byte* values,
                                         std::uint32_t most) const {
  std::uint32_t end = header_->handed_out.load_acquire();  // pairs with hand_out
  if (end > slab_) end = slab_;
  std::uint32_t index = cursor + 1;
  std::size_t done = 0;
  while (done < most && index < end) {
    const Element* const at = element_as<KeyKind::kWords>(index);
    const std::uint32_t generation = at->generation.load_acquire();  // pairs with fill
    if ((generation & kFilled) == 0) {
      ++index;
      continue;
    }
    const auto* words = reinterpret_cast<const sync::Atomic<std::uint64_t>*>(at + 1);
    const std::uint64_t key = words[0].load_acquire(), value = words[1].load_acquire();  // before the check
    if ((generation & kSettled) == 0 || at->generation.load_relaxed() != generation) [[unlikely]] {
      cursor = index - 1;
      if (!next(cursor, keys + done * 8, values + done * 8)) return static_cast<std::uint32_t>(done);
      index = cursor;
    } else {
      std::memcpy(keys + done * 8, &key, sizeof key);
      std::memcpy(values + done * 8, &value, sizeof value);
      cursor = index;
    }
    ++done;
    ++index;
  }
  return static_cast<std::uint32_t>(done);
}

std::uint32_t HashTable::next_many(std::uint32_t& cursor, void* keys, void* values,
                                   std::uint32_t most) const {
  auto* const first_key = static_cast<std::byte*>(keys);
  auto* const first_value = static_cast<std::byte*>(values);
  if (kind_ == KeyKind::kWords) return next_many_words(cursor, first_key, first_value, most);
  std::uint32_t done = 0;
  while (done < most && next(cursor, first_key + std::uint64_t{done} * shape_.key_size,
                             first_value + std::uint64_t{done} * shape_.value_size))
    ++done;
  return done;
}

}  // namespace portolan::ds
