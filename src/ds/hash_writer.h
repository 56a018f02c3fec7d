// SPDX-License-Identifier: Apache-2.0
// What a writer holds while it works: a lane, then buckets. Lock order: lanes by number, then a home bucket,
// then one bucket with a higher number (a lower one is only tried), then the free list.
#pragma once
#include "ds/hash_table.h"

namespace portolan::ds {

// Makes an element free again: from here on, whoever reads it will notice.
inline void HashTable::recycle(Element* at) const {
  at->generation.store_release((at->generation.load_relaxed() & ~(kFilled | kSettled)) +
                               kRecycled);  // pairs with look_at
}

inline void HashTable::settle(Element* at) const {
  at->generation.store_release(at->generation.load_relaxed() | kFilled | kSettled);  // pairs with next
}

inline void HashTable::doubt(Element* at) const {
  at->generation.store_release(at->generation.load_relaxed() & ~kSettled);  // pairs with next
}

inline void HashTable::remove(const Found& found, std::uint64_t hash) const {
  doubt(found.element);
  found.bucket->tags[found.slot].store_release(0);  // the commit; pairs with look_at
  if (found.bucket != &buckets_[home_of(hash)]) recount_spill(home_of(hash));
  recycle(found.element);
}

// A bucket's lock; if its holder had died inside, the bucket is repaired first.
class HashTable::BucketHold {
 public:
  BucketHold(const HashTable& table, const sync::Actor& actor, std::uint32_t at)
      : bucket_(table.buckets_[at]) {
    if (bucket_.lock.lock(actor) == sync::RobustLock::Taken::kRecovered) [[unlikely]]
      table.recount_spill(at);
  }
  BucketHold(const BucketHold&) = delete;
  BucketHold& operator=(const BucketHold&) = delete;
  ~BucketHold() { bucket_.lock.unlock(); }

 private:
  Bucket& bucket_;
};

// A lane, for the length of one operation.
class HashTable::LaneHold {
 public:
  LaneHold(const HashTable& table, const sync::Actor& actor) : table_(table), actor_(actor) {}
  LaneHold(const LaneHold&) = delete;
  LaneHold& operator=(const LaneHold&) = delete;
  ~LaneHold() {
    if (lane_ == nullptr) return;
    if (table_.shape_.evicts && count() > 1) table_.drain(actor_, *lane_, 1);  // for whoever would evict
    lane_->lock.unlock();
  }

  // Takes a lane that holds at least one element.
  Result<void> take() {
    lane_ = &preferred();
    if (lane_->lock.try_lock(actor_)) [[likely]] {
      if (count() >= 1) [[likely]]
        return {};
      lane_->lock.unlock();
    }
    return take_any();
  }
  // Makes sure of a second element, if need be by an eviction; E2BIG or ENOMEM if there is none and the key
  // is absent. May let the lane go in between, so the first may be another afterwards.
  Result<void> grow(const void* key, std::uint64_t hash);

  // In a full table that evicts: the same, if the key is probably absent, and before its bucket is locked.
  template <KeyKind kind>
  void make_room(const void* key, std::uint64_t hash) {
    if (count() > 1 || !table_.is_full()) return;
    table_.order_.prefetch(hash);
    Found found;
    if (!table_.locate_near<kind>(key, hash, found)) (void)evict_one();
  }

  std::uint32_t number() const { return static_cast<std::uint32_t>(lane_ - table_.lanes_); }
  std::uint32_t count() const {
    const std::uint32_t count = lane_->count.load_relaxed();
    return count <= kLaneItems ? count : 0;
  }
  // EINVAL: the region was tampered with.
  Result<std::uint32_t> top() const {
    const std::uint32_t held = count();
    const std::uint32_t index = held == 0 ? kNoElement : lane_->items[held - 1].load_relaxed();
    if (index >= table_.slab_) [[unlikely]]
      return fail(EINVAL);
    return index;
  }
  void set_top(std::uint32_t index) { lane_->items[count() - 1].store_relaxed(index); }
  void pop() { lane_->count.store_relaxed(count() - 1); }
  void push(std::uint32_t index) {
    if (count() == kLaneItems) [[unlikely]]
      table_.drain(actor_, *lane_, kLaneItems / 2);
    const std::uint32_t held = count();
    lane_->items[held].store_relaxed(index);
    lane_->count.store_relaxed(held + 1);
  }

 private:
  Lane& preferred() const { return table_.lanes_[actor_.self.thread() & (table_.lane_count_ - 1)]; }
  Result<void> take_any();
  // One more element by an eviction that stops nobody. False: none was found, or it takes more than that.
  bool evict_one();

  const HashTable& table_;
  const sync::Actor& actor_;
  Lane* lane_ = nullptr;
};

// All lanes: no other writer is inside an operation that adds, replaces or removes an element.
class HashTable::Exclusive {
 public:
  Exclusive(const HashTable& table, const sync::Actor& actor) : table_(table) {
    for (std::uint32_t at = 0; at < table.lane_count_; ++at)
      if (table.lanes_[at].lock.lock(actor) == sync::RobustLock::Taken::kRecovered)
        table.forget(table.lanes_[at]);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;
  ~Exclusive() {
    for (std::uint32_t at = 0; at < table_.lane_count_; ++at)
      if (&table_.lanes_[at] != kept_) table_.lanes_[at].lock.unlock();
  }
  void keep(Lane* lane) { kept_ = lane; }

 private:
  const HashTable& table_;
  Lane* kept_ = nullptr;
};

}  // namespace portolan::ds
