// SPDX-License-Identifier: Apache-2.0
// What a dynptr on a program's stack is (struct bpf_dynptr_kern): the verifier keeps programs from seeing it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::helper {

struct Dynptr {
  static constexpr std::uint32_t kMost = 0xff'ffff;  // bytes
  std::byte* data;                                   // nullptr: it holds nothing
  std::uint32_t size;
  std::uint32_t offset;

  // Whether so many bytes from `at` on are among those that it holds.
  bool holds(std::uint64_t at, std::uint64_t count) const { return count <= size && at <= size - count; }
};
static_assert(sizeof(Dynptr) == 16);

}  // namespace portolan::helper
