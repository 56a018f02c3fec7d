// SPDX-License-Identifier: Apache-2.0
// Values in a row that can grow at one end and shrink at both: a queue or a stack of at most max_entries.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

// See bounded_ring.cc for the essay. A view of memory that must outlive it. Values are staged: 8-aligned,
// with room up to the next multiple of 8.
class BoundedRing {
 public:
  struct Shape {
    std::uint32_t value_size;   // bytes, ≥ 1
    std::uint32_t max_entries;  // ≥ 1
  };
  enum class End : std::uint8_t { kOldest, kNewest };
  enum class WhenFull : std::uint8_t { kRefuse, kDropOldest };

  // Bytes that it takes. EINVAL: not a shape.
  static Result<std::uint64_t> size(const Shape& shape);
  // Zero bytes are an empty one. EINVAL: too few bytes for the shape, or not 8-aligned.
  static Result<BoundedRing> attach(Bytes bytes, const Shape& shape);

  // E2BIG: full, and kRefuse.
  Result<void> push(const sync::Actor& actor, const std::byte* value, WhenFull when_full);
  // ENOENT: empty; `value` is untouched then.
  Result<void> pop(const sync::Actor& actor, std::byte* value, End end);
  Result<void> peek(const sync::Actor& actor, std::byte* value, End end);
  std::uint32_t count() const;

  void check(const std::string& where, shm::Findings& findings) const;

 private:
  struct Header {
    sync::RobustLock lock;
    sync::Atomic<std::uint64_t> extent;
  };
  struct Extent {
    std::uint32_t first, count;
  };

  BoundedRing(Bytes bytes, const Shape& shape);
  Extent extent() const;
  void commit(Extent extent);
  std::byte* slot(const Extent& extent, std::uint32_t number) const;
  Result<void> read(std::byte* value, End end, Extent& extent) const;

  Header* header_;
  std::byte* values_;
  std::uint64_t stride_;
  std::uint32_t slots_;
};

}  // namespace portolan::ds
