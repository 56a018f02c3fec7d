// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace portolan {

// A key is compared byte by byte, so each of its values must have exactly one byte pattern: no padding, no
// floating point. Give a struct explicit, zeroed fillers instead of padding. At most 512 bytes, as in the
// kernel.
template <class K>
concept MapKey =
    std::is_trivially_copyable_v<K> && std::has_unique_object_representations_v<K> && sizeof(K) <= 512;

// A value is copied as bytes.
template <class V>
concept MapValue = std::is_trivially_copyable_v<V> && std::is_default_constructible_v<V> && alignof(V) <= 8;

namespace detail {

template <class T>
std::span<const std::byte> raw(const T& object) {
  return std::as_bytes(std::span<const T, 1>(&object, 1));
}
template <class T>
std::span<std::byte> raw(T& object) {
  return std::as_writable_bytes(std::span<T, 1>(&object, 1));
}

// Copies a value that others may be writing: each aligned 8-byte word comes whole, as in the kernel. `from`
// is 8-aligned and lies in a stride that is a multiple of 8.
template <class V>
V copy_shared(const std::byte* from) noexcept {
  V value;
  auto* to = reinterpret_cast<unsigned char*>(&value);
  std::size_t done = 0;
  for (; done + 8 <= sizeof(V); done += 8) {
    const auto word =
        __atomic_load_n(reinterpret_cast<const unsigned long long*>(from + done), __ATOMIC_RELAXED);
    std::memcpy(to + done, &word, 8);
  }
  if constexpr (sizeof(V) % 8 != 0) {
    const auto word =
        __atomic_load_n(reinterpret_cast<const unsigned long long*>(from + done), __ATOMIC_RELAXED);
    std::memcpy(to + done, &word, sizeof(V) % 8);
  }
  return value;
}

}  // namespace detail
}  // namespace portolan
