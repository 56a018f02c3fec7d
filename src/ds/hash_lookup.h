// SPDX-License-Identifier: Apache-2.0
// The read side of the hash table, inline: included by hash_table.h only. Orders and proof: hash_table.cc.
#pragma once
#include "ds/hash_table.h"

namespace portolan::ds {

inline HashTable::Hash HashTable::hash_of(std::uint64_t sum) const {
  const auto tag = static_cast<std::uint16_t>(sum);
  return {static_cast<std::uint32_t>((sum >> 32) * bucket_count_ >> 32),
          static_cast<std::uint16_t>(tag + static_cast<std::uint16_t>(tag == 0)),
          static_cast<std::uint16_t>(1u << (sum >> 16 & 7))};
}

inline HashTable::Hash HashTable::hash(const void* key) const {
  switch (kind_) {
    case KeyKind::k4:
      return hash_of(function_.of_word(load_unaligned<std::uint32_t>(key)));
    case KeyKind::k8:
      return hash_of(function_.of_word(load_unaligned<std::uint64_t>(key)));
    case KeyKind::k16: {
      const auto* words = static_cast<const std::byte*>(key);
      return hash_of(function_.of_two_words(load_unaligned<std::uint64_t>(words),
                                            load_unaligned<std::uint64_t>(words + 8)));
    }
    case KeyKind::kOther:
      break;
  }
  return hash_of(function_.of_bytes(key, shape_.key_size));
}

template <HashTable::KeyKind kind>
inline bool HashTable::has_key(Element* element, const void* key) const {
  // Acquire loads: the checks that follow in look_at must not be done before them.
  if constexpr (kind == KeyKind::k4) {
    return element->word.load_acquire() == load_unaligned<std::uint32_t>(key);
  } else if constexpr (kind == KeyKind::k8) {
    auto* word = reinterpret_cast<sync::Atomic<std::uint64_t>*>(element + 1);
    return word->load_acquire() == load_unaligned<std::uint64_t>(key);
  } else if constexpr (kind == KeyKind::k16) {
    auto* words = reinterpret_cast<sync::Atomic<std::uint64_t>*>(element + 1);
    const auto* wanted = static_cast<const std::byte*>(key);
    return words[0].load_acquire() == load_unaligned<std::uint64_t>(wanted) &&
           words[1].load_acquire() == load_unaligned<std::uint64_t>(wanted + 8);
  } else {
    if (shape_.key_size <= 4) {
      std::uint32_t wanted = 0;
      std::memcpy(&wanted, key, shape_.key_size);
      return element->word.load_acquire() == wanted;
    }
    const bool equal = sync::equal_to_shared(key_of(element), key, shape_.key_size);
    sync::fence_acquire();
    return equal;
  }
}

// One bucket: does a slot of it hold the key? `take(element)` copies what the caller wants while it is being
// checked.
template <HashTable::KeyKind kind, class Take>
inline HashTable::Verdict HashTable::look_at(Bucket& bucket, const void* key, Hash hash, Found& found,
                                             Take& take) const {
  for (std::uint32_t matches = match_tags(bucket, hash.tag); matches != 0; matches &= matches - 1) {
    const auto slot = static_cast<unsigned>(__builtin_ctz(matches)) / 2;
    const std::uint32_t index = bucket.elements[slot].load_acquire();  // pairs with replace
    if (index >= slab_) [[unlikely]]
      return Verdict::kChanged;
    Element* const at = element(index);
    const std::uint32_t generation = at->generation.load_acquire();  // pairs with fill
    if ((generation & kFilled) == 0 || bucket.elements[slot].load_acquire() != index) [[unlikely]]
      return Verdict::kChanged;
    const bool equal = has_key<kind>(at, key);
    if (equal) [[likely]]
      take(at);
    // The tag between two looks at the index, and the generation last: the element was this slot's, committed
    // and unchanged, when the tag was read.
    if (bucket.tags[slot].load_acquire() != hash.tag || bucket.elements[slot].load_acquire() != index ||
        ((at->generation.load_relaxed() ^ generation) & ~kSettled) != 0) [[unlikely]]
      return Verdict::kChanged;
    if (equal) [[likely]] {
      found = {&bucket, slot, index, at};
      return Verdict::kHit;
    }
  }
  return Verdict::kMiss;
}

// The buckets after a full home, as far as its spill field says.
template <HashTable::KeyKind kind, class Take>
[[gnu::noinline]] HashTable::Verdict HashTable::look_beyond(const void* key, Hash hash, Found& found,
                                                            Take& take) const {
  const std::uint32_t most = bucket_count_ - 1;
  std::uint32_t distance = Spill::distance(buckets_[hash.home].spill.load_acquire());  // pairs with insert
  if (distance > most) distance = most;
  for (std::uint32_t at = hash.home; distance != 0; --distance) {
    if (++at == bucket_count_) at = 0;
    if (const Verdict verdict = look_at<kind>(buckets_[at], key, hash, found, take);
        verdict != Verdict::kMiss)
      return verdict;
  }
  return Verdict::kMiss;
}

template <HashTable::KeyKind kind, class Take>
inline bool HashTable::probe(const void* key, Hash hash, Found& found, Take take) const {
  Bucket& home = buckets_[hash.home];
  for (unsigned tries = 0; tries < kMaxRestarts; ++tries) {
    Verdict verdict = look_at<kind>(home, key, hash, found, take);
    if (verdict == Verdict::kMiss && (home.spill.load_acquire() & hash.spill_bit) != 0)
        [[unlikely]]  // pairs with insert
      verdict = look_beyond<kind>(key, hash, found, take);
    if (verdict != Verdict::kChanged) [[likely]]
      return verdict == Verdict::kHit;
  }
  return false;
}

template <class Take>
inline bool HashTable::locate(const void* key, Hash hash, Found& found, Take take) const {
  switch (kind_) {
    case KeyKind::k4:
      return probe<KeyKind::k4>(key, hash, found, take);
    case KeyKind::k8:
      return probe<KeyKind::k8>(key, hash, found, take);
    case KeyKind::k16:
      return probe<KeyKind::k16>(key, hash, found, take);
    case KeyKind::kOther:
      break;
  }
  return probe<KeyKind::kOther>(key, hash, found, take);
}

inline bool HashTable::locate(const void* key, Hash hash, Found& found) const {
  return locate(key, hash, found, [](Element*) {});
}

inline bool HashTable::lookup(const void* key, void* value) const {
  Found found;
  if (word_values_) {
    std::uint64_t word = 0;
    const bool hit = locate(key, hash(key), found, [&word, this](Element* at) {
      word = reinterpret_cast<sync::Atomic<std::uint64_t>*>(value_of(at))
                 ->load_acquire();  // before look_at's checks
    });
    if (hit) std::memcpy(value, &word, sizeof word);
    return hit;
  }
  return locate(key, hash(key), found, [value, this](Element* at) {
    sync::copy_from_shared(value, value_of(at), shape_.value_size);
    sync::fence_acquire();  // before look_at's checks
  });
}

inline std::byte* HashTable::find(const void* key) const {
  Found found;
  return locate(key, hash(key), found) ? value_of(found.element) : nullptr;
}

}  // namespace portolan::ds
