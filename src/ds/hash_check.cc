// SPDX-License-Identifier: Apache-2.0
// Checks a table that nobody writes to: each element in exactly one place, each key where a lookup looks for
// it.
#include <fmt/core.h>

#include <vector>

#include "ds/hash_writer.h"

namespace portolan::ds {

class HashTable::Checker {
 public:
  Checker(const HashTable& table, const std::string& where, shm::Findings& findings)
      : table_(table),
        where_(where),
        findings_(findings),
        place_(table.slab_, kNowhere),
        key_(table.shape_.key_size) {}

  void run() {
    end_ = table_.header_->handed_out.load_acquire();
    if (end_ > table_.slab_ || end_ < table_.lane_count_)
      return corrupt("header", fmt::format("{} of {} elements handed out", end_, table_.slab_));
    if (const std::uint32_t backed = table_.header_->backed.load_relaxed();
        backed < end_ || backed > table_.slab_)
      corrupt("header", fmt::format("{} elements backed, {} handed out", backed, end_));
    for (std::uint32_t at = 0; at < table_.bucket_count_; ++at) check_bucket(at);
    for (std::uint32_t at = 0; at < table_.lane_count_; ++at) check_lane(at);
    check_free_list();
    check_total();
  }

 private:
  enum Place : std::uint8_t { kNowhere, kInBucket, kInLane, kOnFreeList };

  void corrupt(const std::string& part, std::string what) {
    findings_.corrupt(where_ + ": " + part, std::move(what));
  }
  void note(const std::string& part, std::string what) {
    findings_.note(where_ + ": " + part, std::move(what));
  }

  // False: `index` cannot be used any further.
  bool put(std::uint32_t index, Place place, const std::string& part) {
    if (index >= end_) return corrupt(part, fmt::format("element {} was never handed out", index)), false;
    if (place_[index] != kNowhere)
      return corrupt(part, fmt::format("element {} is in two places", index)), false;
    place_[index] = place;
    return true;
  }

  void check_bucket(std::uint32_t at) {
    Bucket& bucket = table_.buckets_[at];
    const std::string part = fmt::format("bucket {}", at);
    if (!bucket.lock.owner().is_nobody()) note(part, "is locked");
    for (unsigned slot = 0; slot < kBucketSlots; ++slot) {
      const std::uint16_t tag = bucket.tags[slot].load_acquire();
      if (tag == 0) continue;
      ++live_;
      const std::uint32_t index = bucket.elements[slot].load_acquire();
      if (put(index, kInBucket, part)) check_entry(at, slot, tag, index, part);
    }
  }

  void check_entry(std::uint32_t at, unsigned slot, std::uint16_t tag, std::uint32_t index,
                   const std::string& part) {
    Element* const element = table_.element(index);
    const std::uint32_t generation = element->generation.load_acquire();
    if ((generation & kFilled) == 0) return corrupt(part, fmt::format("element {} is not filled", index));
    if ((generation & kSettled) == 0) note(part, fmt::format("element {} is in doubt", index));
    std::byte* const key = key_.data();
    table_.read_key(element, key);
    const std::uint64_t hash = table_.hash(key);
    if (tag_of(hash) != tag)
      return corrupt(part, fmt::format("slot {} has tag {:#x}, its key {:#x}", slot, tag, tag_of(hash)));
    if (!table_.reaches(hash, at)) return corrupt(part, fmt::format("slot {}: no lookup gets here", slot));
    Found found;
    if (!table_.locate(key, hash, found)) return corrupt(part, fmt::format("slot {}: a lookup misses", slot));
    if (found.index != index)
      corrupt(part, fmt::format("elements {} and {} have one key", index, found.index));
  }

  void check_lane(std::uint32_t at) {
    Lane& lane = table_.lanes_[at];
    const std::string part = fmt::format("lane {}", at);
    if (!lane.lock.owner().is_nobody()) {
      excused_ = true;
      return note(part, "is locked");  // what it holds counts only when it is not
    }
    const std::uint32_t count = lane.count.load_relaxed();
    if (count > kLaneItems) return corrupt(part, fmt::format("has {} elements", count));
    if (count == 0) note(part, "is empty");
    for (std::uint32_t n = 0; n < count; ++n) put_free(lane.items[n].load_relaxed(), kInLane, part);
  }

  void put_free(std::uint32_t index, Place place, const std::string& part) {
    if (put(index, place, part) && (table_.element(index)->generation.load_relaxed() & kSettled) != 0)
      corrupt(part, fmt::format("element {} is settled", index));
  }

  void check_free_list() {
    if (!table_.header_->free_lock.owner().is_nobody()) {
      excused_ = true;
      return note("free list", "is locked");
    }
    std::uint32_t left = table_.header_->free_count.load_relaxed(),
                  index = table_.header_->free_head.load_relaxed();
    for (; left != 0; --left) {
      if (index >= end_ || place_[index] != kNowhere) {
        put_free(index, kOnFreeList, "free list");
        return;
      }
      put_free(index, kOnFreeList, "free list");
      index = table_.element(index)->word.load_relaxed();
    }
    if (index != kNoElement) corrupt("free list", "goes on beyond its count");
  }

  void check_total() {
    std::uint32_t lost = 0;
    for (std::uint32_t index = 0; index < end_; ++index) lost += place_[index] == kNowhere;
    if (lost != 0) {
      const bool known = excused_ || table_.header_->leaks.load_relaxed() != 0;
      const std::string what = fmt::format("{} elements are nowhere", lost);
      known ? note("slab", what) : corrupt("slab", what + " and nobody knows");
    }
    if (live_ > table_.shape_.max_entries)
      corrupt("buckets", fmt::format("{} entries of at most {}", live_, table_.shape_.max_entries));
  }

  const HashTable& table_;
  const std::string& where_;
  shm::Findings& findings_;
  std::vector<std::uint8_t> place_;
  std::vector<std::byte> key_;
  std::uint32_t end_ = 0, live_ = 0;
  bool excused_ = false;
};

void HashTable::check(const std::string& where, shm::Findings& findings) const {
  Checker(*this, where, findings).run();
}

}  // namespace portolan::ds
