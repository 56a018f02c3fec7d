// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "portolan/typed_map.hpp"

namespace portolan {

// BPF_MAP_TYPE_ARRAY: max_entries values of type V, all zero at first, that always exist. All operations are
// thread-safe and may run in several processes; each aligned 8-byte word of a value is read and written
// whole.
template <MapValue V>
class Array : public detail::WalkableMap<Array<V>, MapType::kArray, std::uint32_t, V> {
 public:
  static Expected<Array> create(const Runtime& runtime, std::uint32_t max_entries,
                                const MapOptions& options = {}) {
    return Array::make(runtime, max_entries, options);
  }

  std::uint32_t size() const { return this->info().max_entries; }

  // A copy of the value. ENOENT when index >= size().
  Expected<V> lookup(std::uint32_t index) const {
    const detail::FastPath& fast = this->map_.fast_path();
    if (fast.values != nullptr && index < fast.max_entries) [[likely]]
      return detail::copy_shared<V>(fast.values + index * fast.stride);
    V value;
    if (auto found = this->map_.lookup(detail::raw(index), detail::raw(value)); !found)
      return std::unexpected(found.error());
    return value;
  }

  // Where the value lies, for as long as this map object lives; nullptr when index >= size(), or when the
  // backend has no pointer (an array of the kernel's that was made without kMmapable). Others may write there
  // at any time: use std::atomic_ref for what they share with you.
  V* find(std::uint32_t index) const {
    const detail::FastPath& fast = this->map_.fast_path();
    if (fast.values == nullptr || index >= fast.max_entries) [[unlikely]]
      return nullptr;
    return reinterpret_cast<V*>(fast.values + index * fast.stride);
  }

  // E2BIG when index >= size(); EPERM when frozen or opened kReadOnly.
  Expected<void> update(std::uint32_t index, const V& value) {
    return this->map_.update(detail::raw(index), detail::raw(value));
  }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::WalkableMap<Array<V>, MapType::kArray, std::uint32_t, V>::WalkableMap;
};

}  // namespace portolan
