// SPDX-License-Identifier: Apache-2.0
// A set that remembers what was added, and now and then more: bits that are only ever set.
//
//   word 0 | word 1 | … | word bits/64-1        bits: a power of two, 64 … 2^32
//
// A value sets `hashes` bits, and is taken to be there if they are all set. Their places are those of Linux:
// Bob Jenkins' lookup3 (2006, in the public domain) of the value, the i-th with the seed `seed + i`, so that
// with the same seed even the mistakes are the kernel's.
//
// add() is one atomic OR for each bit that is not set yet, and takes effect with the last; has() reads.
// Nobody waits for anybody. A death in the middle of add() leaves some of its bits set: nothing that was not
// acknowledged is promised, and nothing needs a repair.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "sync/atomic.h"

namespace portolan::ds {

class BloomFilter {
 public:
  struct Shape {
    std::uint32_t value_size;   // bytes, ≥ 1
    std::uint32_t max_entries;  // how many values it is meant for, ≥ 1
    std::uint32_t hashes;       // 1 … 15
    std::uint32_t seed;
  };
  static std::uint64_t bits(const Shape& shape);
  static std::uint64_t size(const Shape& shape) { return bits(shape) / 8; }  // bytes
  // Zero bytes are an empty one. EINVAL: too few bytes for the shape, or not 8-aligned. The memory must
  // outlive the view.
  static Result<BloomFilter> attach(Bytes bytes, const Shape& shape);

  // Values are 4-aligned, with zeros up to the next multiple of 4.
  void add(const std::byte* value) const;
  bool has(const std::byte* value) const;

 private:
  using Word = sync::Atomic<std::uint64_t>;
  // Four hashes at once, of the seeds first … first+3.
  using Lanes [[gnu::vector_size(16)]] = std::uint32_t;
  Lanes places(const std::byte* value, std::uint32_t first) const;

  BloomFilter(Bytes bytes, const Shape& shape);

  Word* words_;
  Shape shape_;
  std::uint32_t mask_;
};

}  // namespace portolan::ds
