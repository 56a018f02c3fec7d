// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace portolan {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

// The bytes of a trivially copyable object.
template <class T>
  requires std::is_trivially_copyable_v<T>
Bytes bytes_of(T& object) {
  return std::as_writable_bytes(std::span<T, 1>(&object, 1));
}
template <class T>
  requires std::is_trivially_copyable_v<T>
ConstBytes bytes_of(const T& object) {
  return std::as_bytes(std::span<const T, 1>(&object, 1));
}

// An object read from unaligned bytes; `bytes` must be at least sizeof(T) long.
template <class T>
  requires std::is_trivially_copyable_v<T>
T load_unaligned(const void* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// `granule` must be a power of two.
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t granule) {
  return (value + granule - 1) & ~(granule - 1);
}

inline constexpr std::uint64_t kPageSize = 4096;

}  // namespace portolan
