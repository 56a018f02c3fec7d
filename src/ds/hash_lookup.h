// SPDX-License-Identifier: Apache-2.0
// The read side of the hash table, inline: included by hash_table.h only. Orders and proof: hash_table.cc.
#pragma once
#include "ds/hash_table.h"

namespace portolan::ds {

// The key as the inner loops want it: in registers, where it fits.
template <HashTable::KeyKind kind>
inline auto HashTable::wanted(const void* key) {
  if constexpr (kind == KeyKind::k4) {
    return load_unaligned<std::uint32_t>(key);
  } else if constexpr (kind == KeyKind::k8 || kind == KeyKind::kWords) {
    return load_unaligned<std::uint64_t>(key);
  } else if constexpr (kind == KeyKind::k16) {
    return load_unaligned<TwoWords>(key);
  } else {
    return key;
  }
}

template <HashTable::KeyKind kind, class Wanted>
inline std::uint64_t HashTable::hash_as(const Wanted& wanted) const {
  if constexpr (kind == KeyKind::k16) {
    return function_.of_two_words(wanted.low, wanted.high);
  } else if constexpr (kind == KeyKind::kOther) {
    return function_.of_bytes(wanted, shape_.key_size);
  } else {
    return function_.of_word(wanted);
  }
}

inline std::uint64_t HashTable::hash(const void* key) const {
  switch (kind_) {
    case KeyKind::kWords:
    case KeyKind::k8:
      return hash_as<KeyKind::k8>(wanted<KeyKind::k8>(key));
    case KeyKind::k4:
      return hash_as<KeyKind::k4>(wanted<KeyKind::k4>(key));
    case KeyKind::k16:
      return hash_as<KeyKind::k16>(wanted<KeyKind::k16>(key));
    case KeyKind::kOther:
      break;
  }
  return hash_as<KeyKind::kOther>(key);
}

template <HashTable::KeyKind kind>
inline Element* HashTable::element_as(std::uint32_t index) const {
  const std::uint64_t stride = kind == KeyKind::kWords ? sizeof(Element) + 16 : stride_;
  return reinterpret_cast<Element*>(elements_ + index * stride);
}

template <HashTable::KeyKind kind, class Wanted>
inline bool HashTable::has_key(Element* element, const Wanted& wanted) const {
  // Acquire loads: the checks that follow in look_at must not be done before them.
  const auto* words = reinterpret_cast<const sync::Atomic<std::uint64_t>*>(element + 1);
  if constexpr (kind == KeyKind::k4) {
    return element->word.load_acquire() == wanted;
  } else if constexpr (kind == KeyKind::k8 || kind == KeyKind::kWords) {
    return words[0].load_acquire() == wanted;
  } else if constexpr (kind == KeyKind::k16) {
    return words[0].load_acquire() == wanted.low && words[1].load_acquire() == wanted.high;
  } else {
    if (shape_.key_size <= 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, wanted, shape_.key_size);
      return element->word.load_acquire() == word;
    }
    const bool equal = sync::equal_to_shared(key_of(element), wanted, shape_.key_size);
    sync::fence_acquire();
    return equal;
  }
}

// One bucket: does a slot of it hold the key? `take(element)` copies what the caller wants while it is being
// checked. `first_only`: where the first slot of this tag holds another key, the answer is kChanged.
template <HashTable::KeyKind kind, bool first_only, class Wanted, class Take>
[[gnu::always_inline]] inline HashTable::Verdict HashTable::look_at(Bucket& bucket, const Wanted& wanted,
                                                                    std::uint16_t tag, Found& found,
                                                                    Take&& take) const {
  for (std::uint32_t matches = match_tags(bucket, tag); matches != 0;) {
    const auto slot = first_slot(matches);
    const std::uint32_t index = bucket.elements[slot].load_acquire();  // pairs with replace
    if (index >= slab_) [[unlikely]]
      return Verdict::kChanged;
    Element* const at = element_as<kind>(index);
    const std::uint32_t generation = at->generation.load_acquire();  // pairs with fill
    if ((generation & kFilled) == 0) [[unlikely]]
      return Verdict::kChanged;
    // In this order: the slot still (or again) refers to the element, a key of this tag is committed there,
    // and the element was the same since its generation was first read.
    const auto unchanged = [&] {
      return bucket.elements[slot].load_acquire() == index && bucket.tags[slot].load_acquire() == tag &&
             at->generation.load_relaxed() == generation;
    };
    if (has_key<kind>(at, wanted)) [[likely]] {
      take(at);
      if (!unchanged()) [[unlikely]]
        return Verdict::kChanged;
      found = {&bucket, slot, index, at};
      return Verdict::kHit;
    }
    if (first_only || !unchanged()) return Verdict::kChanged;
    matches &= ~(3u << (2 * slot));
  }
  return Verdict::kMiss;
}

// The whole search: on, where the home bucket was full, and again, when something changed underneath.
template <HashTable::KeyKind kind, class Wanted, class Take>
inline bool HashTable::search(const Wanted& wanted, std::uint64_t hash, Found& found, Take&& take) const {
  const std::uint32_t home = home_of(hash);
  const std::uint16_t tag = tag_of(hash);
  std::uint64_t budget =
      kMaxRestarts + std::uint64_t{64} * bucket_count_;  // buckets to look at, for all restarts
  while (budget != 0) {
    --budget;
    Verdict verdict = look_at<kind, false>(buckets_[home], wanted, tag, found, take);
    if (verdict == Verdict::kMiss) {
      const std::uint16_t spill = buckets_[home].spill.load_acquire();  // pairs with insert
      std::uint32_t distance = (spill & spill_bit_of(hash)) != 0 ? Spill::distance(spill) : 0;
      if (distance >= bucket_count_) distance = bucket_count_ - 1;
      for (std::uint32_t at = home; distance != 0 && budget != 0 && verdict == Verdict::kMiss;
           --distance, --budget) {
        if (++at == bucket_count_) at = 0;
        verdict = look_at<kind, false>(buckets_[at], wanted, tag, found, take);
      }
    }
    if (verdict != Verdict::kChanged) return verdict == Verdict::kHit;
  }
  return false;
}

// The hash of an element's key.
[[gnu::always_inline]] inline std::uint64_t HashTable::hash_of(Element* from) const {
  if (kind_ != KeyKind::kWords) [[unlikely]]
    return hash_of_other(from);
  return function_.of_word(reinterpret_cast<const sync::Atomic<std::uint64_t>*>(from + 1)->load_acquire());
}

// Most keys are in their home bucket, or nowhere. kChanged: only search() can tell.
template <HashTable::KeyKind kind, class Wanted, class Take>
[[gnu::always_inline]] inline HashTable::Verdict HashTable::look_at_home(const Wanted& wanted,
                                                                         std::uint64_t hash, Found& found,
                                                                         Take&& take) const {
  Bucket& home = buckets_[home_of(hash)];
  const Verdict verdict = look_at<kind, true>(home, wanted, tag_of(hash), found, take);
  if (verdict == Verdict::kMiss && (home.spill.load_acquire() & spill_bit_of(hash)) != 0)
      [[unlikely]]  // pairs with insert
    return Verdict::kChanged;
  return verdict;
}

// Where a key is, as locate() says; without a call for most keys of tables of words.
template <HashTable::KeyKind kind>
[[gnu::always_inline]] inline bool HashTable::locate_near(const void* key, std::uint64_t hash,
                                                          Found& found) const {
  if constexpr (kind == KeyKind::kWords) {
    const Verdict verdict = look_at_home<kind>(wanted<kind>(key), hash, found, [](Element*) {});
    if (verdict != Verdict::kChanged) [[likely]]
      return verdict == Verdict::kHit;
  }
  return locate(key, hash, found);
}

[[gnu::always_inline]] inline bool HashTable::lookup_words(const void* key, void* value) const {
  constexpr auto kind = KeyKind::kWords;
  const std::uint64_t word = wanted<kind>(key), hash = hash_as<kind>(word);
  Found found;
  std::uint64_t read = 0;
  const Verdict verdict = look_at_home<kind>(word, hash, found, [&read](Element* at) {
    read = reinterpret_cast<const sync::Atomic<std::uint64_t>*>(at + 2)
               ->load_acquire();  // before look_at's checks
  });
  if (verdict == Verdict::kChanged) [[unlikely]]
    return lookup_words_again(word, hash, value);
  if (verdict == Verdict::kMiss) return false;
  std::memcpy(value, &read, sizeof read);
  return true;
}

[[gnu::always_inline]] inline bool HashTable::lookup(const void* key, void* value) const {
  if (kind_ == KeyKind::kWords) [[likely]]
    return lookup_words(key, value);
  Found found;
  return lookup_other(key, value, found);
}

}  // namespace portolan::ds
