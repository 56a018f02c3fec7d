// SPDX-License-Identifier: Apache-2.0
// Walks over the slab, and the read side's cold parts.
#include "ds/hash_lookup.h"

namespace portolan::ds {

[[gnu::noinline]] bool HashTable::lookup_words_again(std::uint64_t word, std::uint64_t hash,
                                                     void* value) const {
  Found found;
  return search<KeyKind::kWords>(word, hash, found, [value](Element* at) {
    const std::uint64_t read = reinterpret_cast<const sync::Atomic<std::uint64_t>*>(at + 2)->load_acquire();
    std::memcpy(value, &read, sizeof read);
  });
}

template <HashTable::KeyKind kind>
bool HashTable::lookup_as(const void* key, void* value, Found& found) const {
  const auto words = wanted<kind>(key);
  return search<kind>(words, hash_as<kind>(words), found, [value, this](Element* at) {
    sync::copy_from_shared(value, value_of(at), shape_.value_size);
    sync::fence_acquire();  // before look_at's checks
  });
}

bool HashTable::lookup_other(const void* key, void* value, Found& found) const {
  switch (kind_) {
    case KeyKind::kWords:
    case KeyKind::k8:
      return lookup_as<KeyKind::k8>(key, value, found);
    case KeyKind::k4:
      return lookup_as<KeyKind::k4>(key, value, found);
    case KeyKind::k16:
      return lookup_as<KeyKind::k16>(key, value, found);
    case KeyKind::kOther:
      break;
  }
  return lookup_as<KeyKind::kOther>(key, value, found);
}

bool HashTable::lookup_and_keep(const void* key, void* value) const {
  Found found;
  if (!lookup_other(key, value, found)) return false;
  order_.note_hit(found.index);
  return true;
}

template <HashTable::KeyKind kind>
bool HashTable::locate_as(const void* key, std::uint64_t hash, Found& found) const {
  return search<kind>(wanted<kind>(key), hash, found, [](Element*) {});
}

bool HashTable::locate(const void* key, std::uint64_t hash, Found& found) const {
  switch (kind_) {
    case KeyKind::kWords:
      return locate_as<KeyKind::kWords>(key, hash, found);
    case KeyKind::k8:
      return locate_as<KeyKind::k8>(key, hash, found);
    case KeyKind::k4:
      return locate_as<KeyKind::k4>(key, hash, found);
    case KeyKind::k16:
      return locate_as<KeyKind::k16>(key, hash, found);
    case KeyKind::kOther:
      break;
  }
  return locate_as<KeyKind::kOther>(key, hash, found);
}

bool HashTable::locate(const void* key, Found& found) const {
  if (kind_ != KeyKind::kWords) [[unlikely]]
    return locate(key, hash(key), found);
  return locate_near<KeyKind::kWords>(key, hash_as<KeyKind::kWords>(wanted<KeyKind::kWords>(key)), found);
}

std::byte* HashTable::find(const void* key) const {
  Found found;
  return locate(key, found) ? value_of(found.element) : nullptr;
}

std::byte* HashTable::find_and_keep(const void* key) const {
  Found found;
  if (!locate(key, found)) return nullptr;
  order_.note_hit(found.index);
  return value_of(found.element);
}

template <unsigned kBytes>
std::byte* HashTable::find_word_again(std::uint64_t key, std::uint64_t hash, bool keeps) const {
  constexpr KeyKind kind = kBytes == 4 ? KeyKind::k4 : KeyKind::k8;
  Found found;
  if (!search<kind>(key, hash, found, [](Element*) {})) return nullptr;
  if (keeps) order_.note_hit(found.index);
  return value_of(found.element);
}

template <unsigned kBytes, bool keeps>
std::byte* HashTable::find_word(std::uint64_t key) const {
  constexpr KeyKind kind = kBytes == 4 ? KeyKind::k4 : KeyKind::k8;
  const std::uint64_t hash = hash_as<kind>(key);
  Found found;
  const Verdict verdict = look_at_home<kind>(key, hash, found, [](Element*) {});
  if (verdict == Verdict::kChanged) [[unlikely]]
    return find_word_again<kBytes>(key, hash, keeps);
  if (verdict == Verdict::kMiss) return nullptr;
  if constexpr (keeps) order_.note_hit(found.index);
  return value_of(found.element);
}
template std::byte* HashTable::find_word<4, false>(std::uint64_t) const;
template std::byte* HashTable::find_word<4, true>(std::uint64_t) const;
template std::byte* HashTable::find_word<8, false>(std::uint64_t) const;
template std::byte* HashTable::find_word<8, true>(std::uint64_t) const;

void HashTable::read_key(Element* from, void* key) const {
  if (shape_.key_size <= 4) {
    const std::uint32_t word = from->word.load_acquire();
    std::memcpy(key, &word, shape_.key_size);
  } else {
    sync::copy_from_shared(key, key_of(from), shape_.key_size);
    sync::fence_acquire();
  }
}

std::optional<std::uint32_t> HashTable::number_of(const std::byte* value) const {
  const auto offset = static_cast<std::uint64_t>(value - elements_) - value_offset_;
  if (offset % stride_ != 0 || offset / stride_ >= slab_) return {};
  return static_cast<std::uint32_t>(offset / stride_);
}

std::byte* HashTable::value_at(std::uint32_t number, void* key) const {
  if (number >= slab_ || number >= header_->handed_out.load_acquire()) return nullptr;  // pairs with hand_out
  Element* const at = element(number);
  if ((at->generation.load_acquire() & kFilled) == 0) return nullptr;  // pairs with fill
  read_key(at, key);
  return find(key) == value_of(at) ? value_of(at) : nullptr;
}

// The hash of an element's key, which is read piece by piece: it may be too long for a stack.
std::uint64_t HashTable::hash_of_other(Element* from) const {
  if (shape_.key_size <= 16) {
    alignas(8) std::byte key[16];
    read_key(from, key);
    return hash(key);
  }
  const std::byte* at = key_of(from);
  const std::uint64_t result = function_.of_pieces(shape_.key_size, [&at](void* to, std::size_t count) {
    sync::copy_from_shared(to, at, count);
    at += count;
  });
  sync::fence_acquire();
  return result;
}

// Whether a key with this hash would be looked for in this bucket.
bool HashTable::reaches(std::uint64_t hash, std::uint32_t bucket) const {
  const std::uint32_t home = home_of(hash);
  if (bucket == home) return true;
  const std::uint16_t spill = buckets_[home].spill.load_acquire();
  const std::uint32_t steps = bucket > home ? bucket - home : bucket_count_ - home + bucket;
  return (spill & spill_bit_of(hash)) != 0 && steps <= Spill::distance(spill);
}

// The slot that refers to the element, whose key has this hash. It goes where a lookup of the key goes, but
// compares indices, so that the key, which may be long, need not be copied.
bool HashTable::find_slot_of(std::uint32_t index, std::uint64_t hash, Found& found) const {
  const std::uint32_t home = home_of(hash);
  const std::uint16_t tag = tag_of(hash);
  const auto refers = [&](Bucket& bucket) {
    for (std::uint32_t matches = match_tags(bucket, tag); matches != 0;) {
      const auto slot = first_slot(matches);
      // In this order, as in look_at: the slot may have been another key's when its tag was read first.
      if (bucket.elements[slot].load_acquire() == index && bucket.tags[slot].load_acquire() == tag) {
        found = {&bucket, slot, index, element(index)};
        return true;
      }
      matches &= ~(3u << (2 * slot));
    }
    return false;
  };
  if (refers(buckets_[home])) return true;
  const std::uint16_t spill = buckets_[home].spill.load_acquire();  // pairs with insert
  std::uint32_t distance = (spill & spill_bit_of(hash)) != 0 ? Spill::distance(spill) : 0;
  if (distance >= bucket_count_) distance = bucket_count_ - 1;
  for (std::uint32_t at = home; distance != 0; --distance) {
    if (++at == bucket_count_) at = 0;
    if (refers(buckets_[at])) return true;
  }
  return false;
}

// Whether a bucket refers to the element: the slow way, for elements in doubt.
bool HashTable::is_committed(std::uint32_t index) const {
  Found found;
  return find_slot_of(index, hash_of(element(index)), found);
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
      if (at->generation.load_relaxed() != generation) continue;
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
    total += kBucketSlots - count_slots(match_tags(buckets_[at], 0));
  return total;
}

}  // namespace portolan::ds
