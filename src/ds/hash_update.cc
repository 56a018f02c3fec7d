// SPDX-License-Identifier: Apache-2.0
// Insert, replace and remove. The order of the stores is what makes them safe: hash_table.cc.
#include "ds/hash_writer.h"

namespace portolan::ds {

template <HashTable::KeyKind kind>
inline void HashTable::write_key(Element* to, const void* key) const {
  if constexpr (kind == KeyKind::kWords) {
    reinterpret_cast<sync::Atomic<std::uint64_t>*>(to + 1)->store_relaxed(load_unaligned<std::uint64_t>(key));
  } else if (shape_.key_size <= 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, key, shape_.key_size);
    to->word.store_relaxed(word);
  } else {
    sync::copy_to_shared(key_of(to), key, shape_.key_size);
  }
}

template <HashTable::KeyKind kind>
inline void HashTable::fill(Element* to, const void* key, const void* value) const {
  if ((to->generation.load_relaxed() & kFilled) != 0)
    recycle(to);          // left by an operation that did not need it
  sync::fence_release();  // what is written below is not seen before the element is seen to be free
  write_key<kind>(to, key);
  if constexpr (kind == KeyKind::kWords) {
    reinterpret_cast<sync::Atomic<std::uint64_t>*>(to + 2)->store_relaxed(
        load_unaligned<std::uint64_t>(value));
  } else {
    sync::copy_to_shared(value_of(to), value, shape_.value_size);
  }
  to->generation.store_release(to->generation.load_relaxed() | kFilled);  // pairs with look_at, next
}

void HashTable::fill(Element* to, const void* key, const Writer& writer) const {
  alignas(8) static constexpr std::byte kZeros[256] = {};
  if ((to->generation.load_relaxed() & kFilled) != 0) recycle(to);
  sync::fence_release();
  write_key<KeyKind::kOther>(to, key);
  for (std::uint32_t done = 0; done < shape_.value_size; done += sizeof kZeros)
    sync::copy_to_shared(value_of(to) + done, kZeros,
                         shape_.value_size - done < sizeof kZeros ? shape_.value_size - done : sizeof kZeros);
  writer.write(writer.context, value_of(to), true);
  to->generation.store_release(to->generation.load_relaxed() | kFilled);  // pairs with look_at, next
}

template <HashTable::KeyKind kind>
inline void HashTable::replace(const Found& found, std::uint32_t fresh) const {
  doubt(found.element);
  found.bucket->elements[found.slot].store_release(fresh);  // the commit; pairs with look_at
  settle(element_as<kind>(fresh));
  recycle(found.element);
}

int HashTable::free_slot(const Bucket& bucket) {
  const std::uint32_t free = match_tags(bucket, 0);
  return free == 0 ? -1 : static_cast<int>(first_slot(free));
}

// Puts `fresh` where its key, which is absent, belongs; `fill` is called once there is a slot for it. The
// home bucket is locked. If a bucket before it is busy, which may not be waited for with that lock in hand,
// that bucket is returned and nothing was done; kNoBucket: done.
template <class Fill>
std::uint32_t HashTable::insert(const sync::Actor& actor, std::uint64_t hash, std::uint32_t fresh,
                                Fill&& fill) const {
  const auto commit = [&](Bucket& bucket, int slot) {
    bucket.elements[slot].store_release(fresh);     // pairs with look_at
    bucket.tags[slot].store_release(tag_of(hash));  // the commit; pairs with look_at
    settle(element(fresh));
  };
  Bucket& home = buckets_[home_of(hash)];
  if (const int slot = free_slot(home); slot >= 0) [[likely]] {
    fill();
    commit(home, slot);
    return kNoBucket;
  }
  std::uint32_t at = home_of(hash);
  for (std::uint32_t distance = 1; distance < bucket_count_; ++distance) {
    if (++at == bucket_count_) at = 0;
    Bucket& bucket = buckets_[at];
    if (free_slot(bucket) < 0) continue;
    if (at < home_of(hash)) {
      if (!bucket.lock.try_lock(actor)) return at;
    } else if (bucket.lock.lock(actor) == sync::RobustLock::Taken::kRecovered) {
      recount_spill(at);
    }
    const int slot = free_slot(bucket);
    if (slot >= 0) {
      fill();
      home.spill.store_release(
          Spill::with(home.spill.load_relaxed(), distance, spill_bit_of(hash)));  // pairs with probe
      commit(bucket, slot);
    }
    bucket.lock.unlock();
    if (slot >= 0) return kNoBucket;
  }
  return home_of(hash);  // there are free slots, but they moved about while they were looked for
}

// Finds out anew which of a bucket's keys lie elsewhere. Its lock is held, so those keys stay; what other
// buckets' keys do meanwhile can at most add a bit too many.
void HashTable::recount_spill(std::uint32_t home) const {
  Bucket& bucket = buckets_[home];
  std::uint32_t distance = Spill::distance(bucket.spill.load_relaxed());
  if (distance >= bucket_count_) distance = bucket_count_ - 1;
  std::uint16_t spill = 0;
  std::uint32_t at = home;
  for (std::uint32_t step = 1; step <= distance; ++step) {
    if (++at == bucket_count_) at = 0;
    for (unsigned slot = 0; slot < kBucketSlots; ++slot) {
      if (buckets_[at].tags[slot].load_acquire() == 0) continue;
      const std::uint32_t index = buckets_[at].elements[slot].load_acquire();
      if (index >= slab_) continue;
      if (const std::uint64_t other = hash_of(element(index)); home_of(other) == home)
        spill = Spill::with(spill, step, spill_bit_of(other));
    }
  }
  bucket.spill.store_release(spill);  // pairs with probe
}

template <HashTable::KeyKind kind>
[[gnu::always_inline]] inline Result<void> HashTable::put(const sync::Actor& actor, const void* key,
                                                          std::uint64_t hash, Insert mode, const void* value,
                                                          const Writer* writer) {
  LaneHold lane(*this, actor);
  TRY(lane.take());
  if (shape_.evicts && mode != Insert::kExist) lane.make_room<kind>(key, hash);
  for (unsigned scans = 0; scans < kMaxScans;) {
    const std::uint32_t fresh = TRY(lane.top());
    if (writer == nullptr) fill<kind>(element_as<kind>(fresh), key, value);
    std::uint32_t busy = kNoBucket;
    {
      BucketHold hold(*this, actor, home_of(hash));
      Found found;
      if (locate_near<kind>(key, hash, found)) {
        if (mode == Insert::kNoExist) return fail(EEXIST);
        if (writer != nullptr) {
          writer->write(writer->context, value_of(found.element), false);
          if (shape_.evicts) order_.note_hit(found.index);
        } else {
          if (shape_.evicts) order_.note_replace(found.index, fresh);
          replace<kind>(found, fresh);
          lane.set_top(found.index);
        }
        return {};
      }
      if (mode == Insert::kExist) return fail(ENOENT);
      if (lane.count() >= 2) {
        if (shape_.evicts) order_.note_insert(lane.number(), fresh, hash);
        if constexpr (kind == KeyKind::kWords) {  // filled already
          busy = insert(actor, hash, fresh, [] {});
        } else {
          busy = insert(actor, hash, fresh, [&] {
            if (writer != nullptr) fill(element(fresh), key, *writer);
          });
        }
        if (busy == kNoBucket) {
          lane.pop();
          return {};
        }
      }
    }
    if (busy == kNoBucket) {
      TRY(lane.grow(key, hash));
    } else if (busy == home_of(hash)) {
      ++scans;
    } else {
      BucketHold wait(*this, actor, busy);
    }
  }
  return fail(EINVAL);  // only a tampered region gets here
}

Result<void> HashTable::update(const sync::Actor& actor, const void* key, const void* value, Insert mode) {
  if (kind_ == KeyKind::kWords) [[likely]] {
    constexpr auto kind = KeyKind::kWords;
    const std::uint64_t at = hash_as<kind>(wanted<kind>(key));
    __builtin_prefetch(&buckets_[home_of(at)], 1);
    return put<kind>(actor, key, at, mode, value, nullptr);
  }
  return put_other(actor, key, hash(key), mode, value, nullptr);
}

Result<void> HashTable::put_other(const sync::Actor& actor, const void* key, std::uint64_t hash, Insert mode,
                                  const void* value, const Writer* writer) {
  __builtin_prefetch(&buckets_[home_of(hash)], 1);
  return put<KeyKind::kOther>(actor, key, hash, mode, value, writer);
}

Result<void> HashTable::put_in_place(const sync::Actor& actor, const void* key, Insert mode,
                                     const Writer& writer) {
  const std::uint64_t at = hash(key);
  {
    BucketHold hold(*this, actor, home_of(at));
    Found found;
    if (locate(key, at, found)) {
      if (mode == Insert::kNoExist) return fail(EEXIST);
      writer.write(writer.context, value_of(found.element), false);
      if (shape_.evicts) order_.note_hit(found.index);
      return {};
    }
    if (mode == Insert::kExist) return fail(ENOENT);
  }
  return put_other(actor, key, at, mode, nullptr, &writer);
}

Result<void> HashTable::erase(const sync::Actor& actor, const void* key, void* taken) {
  if (kind_ == KeyKind::kWords) [[likely]]
    return erase_as<KeyKind::kWords>(actor, key, hash_as<KeyKind::k8>(wanted<KeyKind::k8>(key)), taken);
  return erase_as<KeyKind::kOther>(actor, key, hash(key), taken);
}

template <HashTable::KeyKind kind>
inline Result<void> HashTable::erase_as(const sync::Actor& actor, const void* key, std::uint64_t at,
                                        void* taken) {
  __builtin_prefetch(&buckets_[home_of(at)], 1);
  LaneHold lane(*this, actor);
  TRY(lane.take());
  Found found;
  {
    BucketHold hold(*this, actor, home_of(at));
    if (!locate_near<kind>(key, at, found)) return fail(ENOENT);
    if (taken != nullptr) sync::copy_from_shared(taken, value_of(found.element), shape_.value_size);
    remove(found, at);
  }
  lane.push(found.index);
  return {};
}

}  // namespace portolan::ds
