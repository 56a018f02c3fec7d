// SPDX-License-Identifier: Apache-2.0
// Where free elements are: lanes, the free list, and what was never handed out. And how those that a death
// left nowhere are found again.
#include <memory>
#include <new>

#include "ds/hash_writer.h"

namespace portolan::ds {
namespace {

constexpr unsigned kRefill = kLaneItems / 2;

}  // namespace

// The holder of a lane died: what it held may be in use by now. Leaves it to a sweep.
void HashTable::forget(Lane& lane) const {
  header_->leaks.store_release(1);  // before the lane is let go: its lock pairs
  lane.count.store_relaxed(0);
}

void HashTable::lock_free_list(const sync::Actor& actor) const {
  if (header_->free_lock.lock(actor) == sync::RobustLock::Taken::kRecovered) [[unlikely]] {
    header_->leaks.store_release(1);
    header_->free_count.store_relaxed(0);
    header_->free_head.store_relaxed(kNoElement);
  }
}

// Elements that were never used: [from, to), at most `wanted`. The free list is locked.
Result<void> HashTable::hand_out(std::uint32_t wanted, std::uint32_t& from, std::uint32_t& to) const {
  from = header_->handed_out.load_relaxed();
  if (from >= slab_) return fail(E2BIG);
  to = from + (wanted < slab_ - from ? wanted : slab_ - from);
  const std::uint32_t backed = header_->backed.load_relaxed();
  if (to > backed) {
    std::uint32_t more = slab_ - backed < chunk_ ? slab_ : backed + chunk_;
    if (more < to) more = to;
    if (region_->reserve(elements_offset_ + backed * stride_, (more - backed) * stride_)) {
      header_->backed.store_relaxed(more);
    } else if (backed <= from) {
      return fail(ENOMEM);
    } else {
      to = backed;
    }
  }
  header_->handed_out.store_release(to);  // pairs with next
  return {};
}

// Adds a few elements to a lane. E2BIG: there are none; ENOMEM: there are, but no memory for them.
Result<void> HashTable::refill(const sync::Actor& actor, Lane& lane) const {
  const unsigned most = shape_.evicts ? 1 : kRefill;
  std::uint32_t held = lane.count.load_relaxed();
  if (held > kLaneItems - most) return {};
  // A full table that evicts has none, and finds out at each insert: without the lock.
  if (shape_.evicts && is_full()) return fail(E2BIG);
  lock_free_list(actor);
  std::uint32_t left = header_->free_count.load_relaxed(), head = header_->free_head.load_relaxed();
  Result<void> result;
  if (left != 0 && head < slab_) {
    for (unsigned n = 0; n < most && left != 0 && head < slab_; ++n, --left) {
      lane.items[held++].store_relaxed(head);
      head = element(head)->word.load_relaxed();
    }
    header_->free_head.store_relaxed(left == 0 ? kNoElement : head);
    header_->free_count.store_relaxed(left);
  } else {
    std::uint32_t from = 0, to = 0;
    result = hand_out(most, from, to);
    // Descending: the last one is used first.
    if (result)
      for (std::uint32_t n = to; n > from; --n) lane.items[held++].store_relaxed(n - 1);
  }
  lane.count.store_relaxed(held);
  header_->free_lock.unlock();
  return result;
}

// Moves elements from a lane to the free list until it has `keep`.
void HashTable::drain(const sync::Actor& actor, Lane& lane, unsigned keep) const {
  std::uint32_t held = lane.count.load_relaxed();
  if (held > kLaneItems || held <= keep) return;
  lock_free_list(actor);
  std::uint32_t head = header_->free_head.load_relaxed(), count = header_->free_count.load_relaxed();
  // From the bottom of the stack: the top ones are the warmest.
  const std::uint32_t moved = held - keep;
  for (std::uint32_t n = 0; n < moved; ++n) {
    const std::uint32_t index = lane.items[n].load_relaxed();
    if (index >= slab_) continue;
    element(index)->word.store_relaxed(head);
    head = index;
    ++count;
  }
  for (std::uint32_t n = 0; n < keep; ++n) lane.items[n].store_relaxed(lane.items[n + moved].load_relaxed());
  lane.count.store_relaxed(keep);
  header_->free_head.store_relaxed(head);
  header_->free_count.store_relaxed(count);
  header_->free_lock.unlock();
}

// Rebuilds lanes and free list from the buckets, which alone say what is in use. All lanes are held.
Result<void> HashTable::sweep(const sync::Actor& actor) const {
  std::uint32_t end = header_->handed_out.load_relaxed();
  if (end > slab_) end = slab_;
  std::unique_ptr<std::uint8_t[]> used(new (std::nothrow) std::uint8_t[(std::size_t{slab_} + 7) / 8]());
  if (used == nullptr) return fail(ENOMEM);
  for (std::uint32_t at = 0; at < bucket_count_; ++at) {
    for (unsigned slot = 0; slot < kBucketSlots; ++slot) {
      Bucket& bucket = buckets_[at];
      if (bucket.tags[slot].load_relaxed() == 0) continue;
      const std::uint32_t index = bucket.elements[slot].load_relaxed();
      const auto bit = static_cast<std::uint8_t>(1u << (index % 8));
      if (index >= end || (used[index / 8] & bit) != 0) {
        bucket.tags[slot].store_release(0);  // only in a tampered region; pairs with look_at
        continue;
      }
      used[index / 8] |= bit;
      if ((element(index)->generation.load_relaxed() & kSettled) == 0) settle(element(index));
    }
  }

  lock_free_list(actor);
  std::uint32_t lane = 0, head = kNoElement, count = 0;
  for (std::uint32_t index = end; index-- > 0;) {
    if ((used[index / 8] >> (index % 8) & 1) != 0) continue;
    if ((element(index)->generation.load_relaxed() & kFilled) != 0) recycle(element(index));
    if (lane < lane_count_) {
      lanes_[lane].items[0].store_relaxed(index);
      lanes_[lane].count.store_relaxed(1);
      ++lane;
    } else {
      element(index)->word.store_relaxed(head);
      head = index;
      ++count;
    }
  }
  header_->free_head.store_relaxed(head);
  header_->free_count.store_relaxed(count);
  Result<void> result;
  for (; lane < lane_count_; ++lane) {
    std::uint32_t from = 0, to = 0;
    lanes_[lane].count.store_relaxed(0);
    if (!result || !(result = hand_out(1, from, to))) continue;
    lanes_[lane].items[0].store_relaxed(from);
    lanes_[lane].count.store_relaxed(1);
  }
  header_->leaks.store_release(result ? 0 : 1);
  header_->free_lock.unlock();
  return result;
}

Result<void> HashTable::LaneHold::take_any() {
  const std::uint32_t first = actor_.self.thread();
  for (std::uint32_t n = 1; n < table_.lane_count_; ++n) {
    lane_ = &table_.lanes_[(first + n) & (table_.lane_count_ - 1)];
    if (count() == 0 || !lane_->lock.try_lock(actor_)) continue;
    if (count() != 0) return {};
    lane_->lock.unlock();
  }
  lane_ = &preferred();
  if (lane_->lock.lock(actor_) == sync::RobustLock::Taken::kRecovered) table_.forget(*lane_);
  if (count() != 0) return {};
  lane_->lock.unlock();
  lane_ = nullptr;
  Exclusive all(table_, actor_);
  TRY(table_.sweep(actor_));
  lane_ = &preferred();
  all.keep(lane_);
  return {};
}

Result<void> HashTable::LaneHold::grow(const void* key, std::uint64_t hash) {
  if (table_.refill(actor_, *lane_)) [[likely]]
    return {};
  if (table_.shape_.evicts && evict_one()) return {};
  lane_->lock.unlock();
  lane_ = nullptr;
  Exclusive all(table_, actor_);
  bool empty_lane = false;
  for (std::uint32_t at = 0; at < table_.lane_count_; ++at) {
    table_.drain(actor_, table_.lanes_[at], 1);
    const std::uint32_t held = table_.lanes_[at].count.load_relaxed();
    empty_lane |= held == 0 || held > kLaneItems;
  }
  if (empty_lane || table_.header_->leaks.load_relaxed() != 0) TRY(table_.sweep(actor_));
  auto refilled = table_.refill(actor_, preferred());
  if (!refilled && table_.shape_.evicts) {
    // Nobody is in the way now: whatever is in the table can be had.
    const std::uint64_t laps = std::uint64_t{4} * table_.slab_;
    lane_ = &preferred();
    std::uint32_t victim = table_.evict(actor_, number(), laps);
    if (victim == kNoElement) {
      table_.order_.unprotect_all();
      victim = table_.evict(actor_, number(), laps);
    }
    if (victim != kNoElement) push(victim), refilled = {};
    lane_ = nullptr;
  }
  if (!refilled) {
    // Nobody can add or remove a key now. If ours came meanwhile, it can be replaced after all.
    BucketHold hold(table_, actor_, table_.home_of(hash));
    Found found;
    if (!table_.locate(key, hash, found)) return refilled;
  }
  lane_ = &preferred();
  all.keep(lane_);
  return {};
}

}  // namespace portolan::ds
