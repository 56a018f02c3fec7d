// SPDX-License-Identifier: Apache-2.0
// Values in a row, in pages of whoever owns them: a region, or a handle's user pages. Every index has its
// value, zero at first.
//
//   per CPU, `block` bytes apart:   value 0 | value 1 | … | value max_entries-1 | up to a multiple of 64
//   bytes
//                                   '------' stride = value_size rounded up to 8
//
// A CPU's values lie together, so that a program which runs there touches lines that no other CPU touches,
// and generated code finds one at base + cpu · block + index · stride. With one CPU this is the kernel's
// layout of an array, which users mmap.
//
// Writers do not exclude each other. Each aligned 8-byte word of a value is read and written whole, as in the
// kernel.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "sync/atomic.h"

namespace portolan::ds {

class FlatArray {
 public:
  struct Shape {
    std::uint32_t value_size;   // bytes, ≥ 1
    std::uint32_t max_entries;  // ≥ 1
    std::uint32_t cpus = 1;     // ≥ 1: how many values each index has
  };

  static constexpr std::uint64_t stride_of(std::uint32_t value_size) { return round_up(value_size, 8); }
  static constexpr std::uint64_t block_of(const Shape& shape) {
    return round_up(stride_of(shape.value_size) * shape.max_entries, 64);
  }
  // Bytes that the values take. E2BIG: more than can be addressed; EINVAL: not a shape.
  static Result<std::uint64_t> size(const Shape& shape) {
    if (shape.value_size == 0 || shape.max_entries == 0 || shape.cpus == 0) return fail(EINVAL);
    const std::uint64_t block = block_of(shape);
    if (block > kMostBytes / shape.cpus) return fail(E2BIG);
    return block * shape.cpus;
  }
  // EINVAL: `bytes` is too short for the shape, or not 8-aligned. The memory must outlive the view.
  static Result<FlatArray> attach(Bytes bytes, const Shape& shape) {
    const std::uint64_t needed = TRY(size(shape));
    if (bytes.size() < needed || reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return fail(EINVAL);
    return FlatArray(bytes.data(), shape);
  }

  const Shape& shape() const { return shape_; }
  std::byte* base() const { return base_; }
  std::uint64_t stride() const { return stride_; }  // from an index to the next
  std::uint64_t block() const { return block_; }    // from a CPU to the next

  // The value where it lies, 8-aligned; nullptr: there is no such index or CPU.
  std::byte* at(std::uint32_t index, std::uint32_t cpu = 0) const {
    if (index >= shape_.max_entries || cpu >= shape_.cpus) [[unlikely]]
      return nullptr;
    return base_ + cpu * block_ + index * stride_;
  }
  // False: there is no such index or CPU. Copies value_size bytes.
  bool read(std::uint32_t index, void* value, std::uint32_t cpu = 0) const {
    const std::byte* from = at(index, cpu);
    if (from == nullptr) return false;
    sync::copy_from_shared(value, from, shape_.value_size);
    return true;
  }
  bool write(std::uint32_t index, const void* value, std::uint32_t cpu = 0) const {
    std::byte* to = at(index, cpu);
    if (to == nullptr) return false;
    sync::copy_to_shared(to, value, shape_.value_size);
    return true;
  }

 private:
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;

  FlatArray(std::byte* base, const Shape& shape)
      : shape_(shape), base_(base), stride_(stride_of(shape.value_size)), block_(block_of(shape)) {}

  Shape shape_;
  std::byte* base_;
  std::uint64_t stride_, block_;
};

}  // namespace portolan::ds
