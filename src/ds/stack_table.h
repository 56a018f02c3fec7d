// SPDX-License-Identifier: Apache-2.0
// Traces under the number that their hash gives: one a bucket.
#pragma once
#include <string>

#include "ds/reuse_version.h"
#include "ds/slab.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

struct StackTableShape {
  std::uint32_t value_size;   // bytes of a whole trace, a multiple of 8, ≥ 8
  std::uint32_t max_entries;  // at most 2^31
};

// See stack_table.cc for the essay. A process-local view; thread-safe, also between processes.
class StackTable {
 public:
  struct Sizes {
    std::uint64_t total, reserved;
  };
  // E2BIG: more than can be addressed; EINVAL: not a shape.
  static Result<Sizes> sizes(const StackTableShape& shape);
  // Writes an empty table at `offset` (64-aligned) of `region` (zero bytes so far).
  static void format(const shm::Region& region, std::uint64_t offset, const StackTableShape& shape);
  // EINVAL: what lies there is no such table or reaches beyond the region, which must outlive the view.
  static Result<StackTable> attach(shm::Region& region, std::uint64_t offset);

  const StackTableShape& shape() const { return shape_; }
  std::uint32_t buckets() const { return bucket_count_; }

  struct Trace {
    std::uint32_t hash;
    std::uint32_t size;  // bytes, a multiple of 8, at most value_size
    const void* bytes;
  };
  struct Rules {
    bool by_hash_only;  // two of one hash are taken to be the same
    bool may_replace;   // another trace that has the number
    bool needs_room;    // to be compared in: also where nothing is put in
  };
  // The trace's number: the one it has already, or a new one. EEXIST: another trace has it, and keeps it;
  // ENOMEM: all elements are in use.
  Result<std::uint32_t> put(const sync::Actor& actor, const Trace& trace, const Rules& rules);
  // Copies the trace, with zeros up to value_size. False: there is none.
  bool lookup(std::uint32_t number, void* value) const;
  // ENOENT.
  Result<void> erase(const sync::Actor& actor, std::uint32_t number);
  // The first one from `number` on; false: none.
  bool next(std::uint32_t number, std::uint32_t& found) const;
  bool contains(std::uint32_t number) const {
    return number < bucket_count_ && buckets_[number].load_acquire() != 0;  // pairs with put
  }

  std::uint64_t reserved_bytes() const;
  // Checks every invariant; nobody may write meanwhile.
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  static constexpr std::uint64_t kMagic = 0x314b'4341'5453'5450ull;  // "PTSTACK1"
  struct alignas(64) Header {
    std::uint64_t magic;
    std::uint32_t value_size, max_entries;
    ReuseVersion version;
    sync::RobustLock lock;  // of writers; guards the elements
    SlabState elements;
  };
  struct Element {
    sync::Atomic<std::uint32_t> hash, size, link, unused;
  };
  struct Plan {
    std::uint32_t buckets;
    std::uint64_t buckets_offset, total;
    Slab::Shape elements;
  };
  StackTable() = default;
  static Result<Plan> plan_of(const StackTableShape& shape);
  Element* element_in(std::uint32_t word) const;
  static std::byte* bytes_of(Element* element) { return reinterpret_cast<std::byte*>(element + 1); }
  void repair();

  StackTableShape shape_{};
  std::uint32_t bucket_count_ = 0;
  Header* header_ = nullptr;
  sync::Atomic<std::uint32_t>* buckets_ = nullptr;  // 0 nothing, else the element's index + 1
  Slab elements_;
};

}  // namespace portolan::ds
