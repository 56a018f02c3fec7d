// SPDX-License-Identifier: Apache-2.0
// What a dynptr on a program's stack is (struct bpf_dynptr_kern): the verifier keeps programs from seeing it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "helper/xdp.h"

namespace portolan::helper {

struct Dynptr {
  static constexpr std::uint32_t kMost = 0xff'ffff;  // bytes
  enum class Kind : std::uint32_t {
    kNone,
    kMemory,   // `data` is where its bytes begin
    kSkb,      // `data` is the SkBuff, whose packet may move or shrink
    kXdp,      // likewise, the XdpBuff
    kSkbMeta,  // likewise, the SkBuff, of its metadata
  };

  void* data = nullptr;  // nullptr: it holds nothing
  std::uint32_t word = 0;
  std::uint32_t offset = 0;  // of its first byte from that of the memory, or of the packet

  // Of more bytes than kMost it holds the first.
  static Dynptr of(Kind kind, void* data, std::uint32_t size) {
    return {data, std::min(size, kMost) | static_cast<std::uint32_t>(kind) << kKindShift, 0};
  }
  std::uint32_t size() const { return word & kMost; }
  Kind kind() const { return static_cast<Kind>(word >> kKindShift & kKindMask); }
  bool is_read_only() const { return (word & kReadOnly) != 0; }
  void set_read_only() { word |= kReadOnly; }
  void narrow(std::uint32_t begin, std::uint32_t end) {
    offset += begin;
    word = (word & ~kMost) | (end - begin);
  }

  // Whether so many bytes from `at` on are among those that it holds.
  bool holds(std::uint64_t at, std::uint64_t count) const { return count <= size() && at <= size() - count; }
  // The bytes from `at` on, which it holds. nullptr: they do not lie together, or the packet has become too
  // short for them.
  std::byte* bytes(std::uint32_t at, std::uint32_t count) const {
    switch (kind()) {
      case Kind::kNone:
        return nullptr;
      case Kind::kMemory:
        return static_cast<std::byte*>(data) + offset + at;
      case Kind::kSkb:
        return in_packet(static_cast<SkBuff*>(data)->data, static_cast<SkBuff*>(data)->data_end, at, count);
      case Kind::kSkbMeta:
        return in_packet(static_cast<SkBuff*>(data)->data_meta, static_cast<SkBuff*>(data)->data, at, count);
      case Kind::kXdp:
        return xdp_pointer(xdp(), offset + at, count).value_or(nullptr);
    }
    return nullptr;
  }
  XdpBuff& xdp() const { return *static_cast<XdpBuff*>(data); }

 private:
  static constexpr unsigned kKindShift = 28;
  static constexpr std::uint32_t kKindMask = 7, kReadOnly = std::uint32_t{1} << 31;

  std::byte* in_packet(std::byte* begin, const std::byte* end, std::uint32_t at, std::uint32_t count) const {
    const std::uint64_t first = std::uint64_t{offset} + at;
    return first + count <= static_cast<std::uint64_t>(end - begin) ? begin + first : nullptr;
  }
};
static_assert(sizeof(Dynptr) == 16);

}  // namespace portolan::helper
