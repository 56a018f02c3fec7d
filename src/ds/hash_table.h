// SPDX-License-Identifier: Apache-2.0
// A bounded hash table in shared memory: readers take no lock and write nothing. See hash_table.cc for the essay.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "shm/findings.h"
#include "shm/region.h"
#include "sync/owner.h"

namespace portolan::ds {

// What a table looks like; fixed at creation, and kept in the region.
struct HashTableShape {
  std::uint32_t key_size;     // bytes, ≥ 1
  std::uint32_t value_size;   // bytes of one element's value area, a multiple of 8, ≥ 8 (per-CPU: all CPUs' values)
  std::uint32_t max_entries;  // ≥ 1
  bool preallocated;          // reserve every element at creation
  std::uint64_t seed;
};

enum class Insert : std::uint8_t { kAny, kNoExist, kExist };

// A process-local view. All methods are thread-safe and may run in several processes at once.
class HashTable {
 public:
  // Bytes of address space that a table takes, and how many of them (from its start) must be reserved at creation.
  struct Sizes {
    std::uint64_t total;
    std::uint64_t reserved;
  };
  static Result<Sizes> sizes(const HashTableShape& shape);  // E2BIG: more than can be addressed
  // Writes an empty table at `offset` of `region` (zero bytes so far).
  static void format(const shm::Region& region, std::uint64_t offset, const HashTableShape& shape);
  // EINVAL: what lies there is no such table or reaches beyond the region. `region` must outlive the view.
  static Result<HashTable> attach(shm::Region& region, std::uint64_t offset);

  const HashTableShape& shape() const { return shape_; }

  // Copies the value whole: one that some update put there, never a mix. False: the key is absent.
  bool lookup(const void* key, void* value) const;
  // The value where it lies, 8-aligned; nullptr: absent. It stays valid memory as long as the region is mapped, but may
  // be recycled for another key at any time.
  std::byte* find(const void* key) const;

  // EEXIST, ENOENT by `mode`; E2BIG at max_entries; ENOMEM when an unpreallocated chunk cannot be had. Replacing commits
  // a new element: readers see the old value or the new one.
  Result<void> update(const sync::Actor& actor, const void* key, const void* value, Insert mode);
  // Runs `write(value, fresh)` on the key's value in place under the bucket's lock (per-CPU values, BPF_F_LOCK), on a
  // zeroed new element (fresh = true, committed afterwards) when the key is absent and `mode` lets it be made.
  template <class Write>
  Result<void> update_in_place(const sync::Actor& actor, const void* key, Insert mode, Write&& write);
  // ENOENT. `taken`, if not nullptr, gets the value that was removed.
  Result<void> erase(const sync::Actor& actor, const void* key, void* taken = nullptr);

  // Iteration in slab order. A cursor is an element index; kBegin starts. Each element that is there from beginning to
  // end of a walk comes exactly once.
  static constexpr std::uint32_t kBegin = 0xffff'ffff;
  // Copies key and value (either may be nullptr) of the first element after `cursor` and moves it there; false: none.
  bool next(std::uint32_t& cursor, void* key, void* value) const;
  // The cursor at `key`, or kBegin when it is absent.
  std::uint32_t cursor_of(const void* key) const;

  std::uint32_t count() const;  // elements now; exact when nobody writes
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  HashTableShape shape_{};
};

}  // namespace portolan::ds
