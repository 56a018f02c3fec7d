// SPDX-License-Identifier: Apache-2.0
// A bounded hash table in shared memory: readers take no lock and write nothing. See hash_table.cc for the
// essay.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "base/bytes.h"
#include "base/result.h"
#include "ds/eviction_order.h"
#include "ds/hash_function.h"
#include "ds/hash_layout.h"
#include "ds/insert.h"
#include "shm/findings.h"
#include "shm/region.h"
#include "sync/owner.h"

namespace portolan::ds {

// What a table looks like; fixed at creation, and kept in the region.
struct HashTableShape {
  std::uint32_t key_size;  // bytes, 1 to kMaxKeySize
  std::uint32_t
      value_size;  // bytes of one element's value area, a multiple of 8, ≥ 8 (per-CPU: all CPUs' values)
  std::uint32_t max_entries;  // ≥ 1
  bool preallocated;          // reserve every element at creation
  std::uint64_t seed;
  bool evicts = false;  // a full table gives up another key for a new one; preallocated
};

// A process-local view. All methods are thread-safe and may run in several processes at once.
class HashTable {
 public:
  static constexpr std::uint32_t kMaxKeySize = 4 << 20;  // more than Linux takes

  // Bytes of address space that a table takes, and how many of them (from its start) must be reserved at
  // creation.
  struct Sizes {
    std::uint64_t total;
    std::uint64_t reserved;
  };
  // E2BIG: more than can be addressed; EINVAL: not a shape.
  static Result<Sizes> sizes(const HashTableShape& shape);
  // Writes an empty table at `offset` (64-aligned) of `region` (zero bytes so far).
  static void format(const shm::Region& region, std::uint64_t offset, const HashTableShape& shape);
  // EINVAL: what lies there is no such table or reaches beyond the region. `region` must outlive the view.
  static Result<HashTable> attach(shm::Region& region, std::uint64_t offset);

  const HashTableShape& shape() const { return shape_; }

  // Copies the value whole: one that some update put there, never a mix. False: the key is absent (and
  // `value` may hold anything).
  bool lookup(const void* key, void* value) const;
  // The same, and what is found outlives what nobody looked up (tables that evict).
  bool lookup_and_keep(const void* key, void* value) const;
  // The value where it lies, 8-aligned; nullptr: absent. It stays valid memory as long as the region is
  // mapped, but may be recycled for another key at any time.
  std::byte* find(const void* key) const;
  std::byte* find_and_keep(const void* key) const;
  // Where a value lies, by a number that is the same in all processes; nothing: in no element of this table.
  std::optional<std::uint32_t> number_of(const std::byte* value) const;
  // The value of that number, and its key, as long as it is in the table; nullptr: it is not (any more).
  std::byte* value_at(std::uint32_t number, void* key) const;
  // As find(), for keys of kBytes = 4 or 8 bytes, by value.
  template <unsigned kBytes, bool keeps>
  std::byte* find_word(std::uint64_t key) const;
  // Brings the key's bucket near: for callers with several keys at hand.
  void prefetch(const void* key) const { __builtin_prefetch(&buckets_[home_of(hash(key))]); }

  // EEXIST, ENOENT by `mode`; E2BIG at max_entries, unless the table evicts; ENOMEM when an unpreallocated
  // chunk cannot be had. Replacing commits a new element: readers see the old value or the new one.
  Result<void> update(const sync::Actor& actor, const void* key, const void* value, Insert mode);
  // Runs `write(value, fresh)` on the key's value in place under the bucket's lock (per-CPU values,
  // BPF_F_LOCK), on a zeroed new element (fresh = true, committed afterwards) when the key is absent and
  // `mode` lets it be made.
  template <class Write>
  Result<void> update_in_place(const sync::Actor& actor, const void* key, Insert mode, Write&& write) {
    return put_in_place(actor, key, mode,
                        Writer{[](void* context, std::byte* value, bool fresh) {
                                 (*static_cast<std::remove_reference_t<Write>*>(context))(value, fresh);
                               },
                               const_cast<void*>(static_cast<const void*>(&write))});
  }
  // ENOENT. `taken`, if not nullptr, gets the value that was removed.
  Result<void> erase(const sync::Actor& actor, const void* key, void* taken = nullptr);

  // Iteration in slab order. A cursor is an element index; kBegin starts. Each element that is there from
  // beginning to end of a walk comes exactly once.
  static constexpr std::uint32_t kBegin = kNoElement;
  // Copies key and value (either may be nullptr) of the first element after `cursor` and moves it there;
  // false: none.
  bool next(std::uint32_t& cursor, void* key, void* value) const;
  // The same for up to `most` elements, whose keys and values come one after the other; how many they are.
  // Fewer than `most`: the walk is over.
  std::uint32_t next_many(std::uint32_t& cursor, void* keys, void* values, std::uint32_t most) const;
  // The cursor at `key`, or kBegin when it is absent.
  std::uint32_t cursor_of(const void* key) const;

  std::uint32_t count() const;  // elements now, by a walk over the buckets; exact when nobody writes
  // Checks every invariant; nobody may write meanwhile.
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  // What the inner loops are compiled for; kWords is 8-byte keys with 8-byte values.
  enum class KeyKind : std::uint8_t { kWords, k4, k8, k16, kOther };
  enum class Verdict : std::uint8_t { kHit, kMiss, kChanged };
  // What is done with a key's 64-bit hash.
  std::uint32_t home_of(std::uint64_t hash) const {
    return static_cast<std::uint32_t>((hash >> 32) * bucket_count_ >> 32);
  }
  static std::uint16_t tag_of(std::uint64_t hash) { return static_cast<std::uint16_t>(hash | 1); }  // never 0
  static std::uint16_t spill_bit_of(std::uint64_t hash) {
    return static_cast<std::uint16_t>(1u << (hash >> 16 & 7));
  }
  struct Found {
    Bucket* bucket;
    unsigned slot;
    std::uint32_t index;
    Element* element;
  };
  struct Writer {
    void (*write)(void* context, std::byte* value, bool fresh);
    void* context;
  };
  struct TwoWords {
    std::uint64_t low, high;
  };
  class BucketHold;
  class LaneHold;
  class Exclusive;
  class Checker;
  // A reader starts again when what it looked at changed under it. Each time some writer got something done,
  // so only a region that was tampered with can bring it to this many.
  static constexpr unsigned kMaxRestarts = 1 << 20;
  // An insert that found no slot in any bucket, though there are always some, looks again so often.
  static constexpr unsigned kMaxScans = 16;

  HashTable() = default;

  // hash_lookup.h
  template <KeyKind kind>
  static auto wanted(const void* key);
  template <KeyKind kind, class Wanted>
  std::uint64_t hash_as(const Wanted& wanted) const;
  std::uint64_t hash(const void* key) const;
  template <KeyKind kind>
  Element* element_as(std::uint32_t index) const;
  Element* element(std::uint32_t index) const { return element_as<KeyKind::kOther>(index); }
  std::byte* key_of(Element* element) const { return reinterpret_cast<std::byte*>(element) + key_offset_; }
  std::byte* value_of(Element* element) const {
    return reinterpret_cast<std::byte*>(element) + value_offset_;
  }
  template <KeyKind kind, class Wanted>
  bool has_key(Element* element, const Wanted& wanted) const;
  template <KeyKind kind, bool first_only, class Wanted, class Take>
  Verdict look_at(Bucket& bucket, const Wanted& wanted, std::uint16_t tag, Found& found, Take&& take) const;
  template <KeyKind kind, class Wanted, class Take>
  bool search(const Wanted& wanted, std::uint64_t hash, Found& found, Take&& take) const;
  template <KeyKind kind, class Wanted, class Take>
  Verdict look_at_home(const Wanted& wanted, std::uint64_t hash, Found& found, Take&& take) const;
  bool lookup_words(const void* key, void* value) const;

  // hash_lookup.cc
  bool lookup_other(const void* key, void* value, Found& found) const;
  bool lookup_words_again(std::uint64_t wanted, std::uint64_t hash, void* value) const;
  template <unsigned kBytes>
  [[gnu::noinline]] std::byte* find_word_again(std::uint64_t key, std::uint64_t hash, bool keeps) const;
  template <KeyKind kind>
  bool lookup_as(const void* key, void* value, Found& found) const;
  template <KeyKind kind>
  bool locate_as(const void* key, std::uint64_t hash, Found& found) const;
  bool locate(const void* key, std::uint64_t hash, Found& found) const;
  bool locate(const void* key, Found& found) const;
  template <KeyKind kind>
  bool locate_near(const void* key, std::uint64_t hash, Found& found) const;
  void read_key(Element* element, void* key) const;
  std::uint64_t hash_of(Element* element) const;
  std::uint64_t hash_of_other(Element* element) const;
  bool find_slot_of(std::uint32_t index, std::uint64_t hash, Found& found) const;
  bool is_committed(std::uint32_t index) const;
  std::uint32_t next_many_words(std::uint32_t& cursor, std::byte* keys, std::byte* values,
                                std::uint32_t most) const;
  bool reaches(std::uint64_t hash, std::uint32_t bucket) const;

  // hash_update.cc
  Result<void> put_in_place(const sync::Actor& actor, const void* key, Insert mode, const Writer& writer);
  template <KeyKind kind>
  Result<void> put(const sync::Actor& actor, const void* key, std::uint64_t hash, Insert mode,
                   const void* value, const Writer* writer);
  Result<void> put_other(const sync::Actor& actor, const void* key, std::uint64_t hash, Insert mode,
                         const void* value, const Writer* writer);
  template <KeyKind kind>
  Result<void> erase_as(const sync::Actor& actor, const void* key, std::uint64_t hash, void* taken);
  template <KeyKind kind>
  void fill(Element* element, const void* key, const void* value) const;
  void fill(Element* element, const void* key, const Writer& writer) const;
  template <KeyKind kind>
  void write_key(Element* element, const void* key) const;
  void recycle(Element* element) const;
  void settle(Element* element) const;
  void doubt(Element* element) const;
  template <KeyKind kind>
  void replace(const Found& found, std::uint32_t fresh) const;
  void remove(const Found& found, std::uint64_t hash) const;
  template <class Fill>
  std::uint32_t insert(const sync::Actor& actor, std::uint64_t hash, std::uint32_t fresh, Fill&& fill) const;
  static int free_slot(const Bucket& bucket);
  void recount_spill(std::uint32_t home) const;

  // hash_evict.cc
  std::uint32_t evict(const sync::Actor& actor, std::uint32_t hand, std::uint64_t tries) const;
  void prefetch_likely_victim(std::uint32_t hand) const;
  bool is_full() const;
  bool has_dead_holder(const sync::Actor& actor) const;

  // hash_reclaim.cc
  void lock_free_list(const sync::Actor& actor) const;
  Result<void> refill(const sync::Actor& actor, Lane& lane) const;
  void drain(const sync::Actor& actor, Lane& lane, unsigned keep) const;
  void forget(Lane& lane) const;
  Result<void> sweep(const sync::Actor& actor) const;
  Result<void> hand_out(std::uint32_t wanted, std::uint32_t& from, std::uint32_t& to) const;

  HashTableShape shape_{};
  HashFunction function_;
  KeyKind kind_ = KeyKind::kOther;
  std::uint32_t bucket_count_ = 0, lane_count_ = 0, slab_ = 0, chunk_ = 0;
  std::uint64_t stride_ = 0;
  bool is_small_ = false;  // a processor's own cache has room for it
  std::uint32_t key_offset_ = 0, value_offset_ = 0;
  std::byte* elements_ = nullptr;
  Bucket* buckets_ = nullptr;
  Lane* lanes_ = nullptr;
  HashHeader* header_ = nullptr;
  EvictionOrder order_;  // of tables that evict
  shm::Region* region_ = nullptr;
  std::uint64_t elements_offset_ = 0;  // in the region
};

}  // namespace portolan::ds

#include "ds/hash_lookup.h"
