// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <vector>

#include "portolan/typed_map.hpp"

namespace portolan {
namespace detail {

// What the two per-CPU maps share: a key has one value for each possible CPU.
template <class Self, MapType kType, class K, class V>
class PerCpuMap : public TypedMap<Self, kType, K, V> {
 public:
  // The values of all CPUs, the CPU's number being the index. ENOENT when the key is absent.
  Expected<std::vector<V>> lookup(const K& key) const {
    std::vector<std::byte> bytes(this->map_.value_bytes());
    if (auto found = this->map_.lookup(raw(key), bytes); !found) return std::unexpected(found.error());
    return unpack(bytes);
  }
  // Gives each CPU its own value. EINVAL unless there are possible_cpus() of them.
  Expected<void> update(const K& key, std::span<const V> values, Update mode = Update::kAny) {
    std::vector<std::byte> bytes(this->map_.value_bytes());
    if (values.size() != bytes.size() / kStride) return std::unexpected(Error(Operation::kUpdate, EINVAL));
    for (std::size_t cpu = 0; cpu < values.size(); ++cpu)
      std::memcpy(bytes.data() + cpu * kStride, &values[cpu], sizeof(V));
    return this->map_.update(raw(key), bytes, static_cast<std::uint64_t>(mode));
  }
  // Gives every CPU the same value.
  Expected<void> update_all(const K& key, const V& value, Update mode = Update::kAny) {
    return update(key, std::vector<V>(this->map_.value_bytes() / kStride, value), mode);
  }
  // The sum over all CPUs.
  Expected<V> sum(const K& key) const
    requires requires(V a, V b) {
      { a += b };
    }
  {
    auto values = lookup(key);
    if (!values) return std::unexpected(values.error());
    V total{};
    for (const V& value : *values) total += value;
    return total;
  }

  // for_each(visit): `visit(key, std::vector<V>)` for each element; how many there were.
  template <class Visit>
  Expected<std::size_t> for_each(Visit&& visit) const {
    BatchCursor cursor;
    std::size_t visited = 0, chunk = 64;
    const std::size_t value_bytes = this->map_.value_bytes();
    while (!cursor.finished) {
      std::vector<K> keys(chunk);
      std::vector<std::byte> values(chunk * value_bytes);
      auto fetched = this->map_.lookup_batch(cursor, std::as_writable_bytes(std::span(keys)), values);
      if (!fetched && fetched.error().code() == ENOSPC && chunk < (std::size_t{1} << 20)) {
        chunk *= 4;
        continue;
      }
      if (!fetched) return std::unexpected(fetched.error());
      for (std::size_t i = 0; i < *fetched; ++i, ++visited)
        visit(keys[i], unpack(std::span(values).subspan(i * value_bytes, value_bytes)));
    }
    return visited;
  }

 protected:
  using TypedMap<Self, kType, K, V>::TypedMap;
  static constexpr std::size_t kStride = (sizeof(V) + 7) / 8 * 8;

 private:
  static std::vector<V> unpack(std::span<const std::byte> bytes) {
    std::vector<V> values(bytes.size() / kStride);
    for (std::size_t cpu = 0; cpu < values.size(); ++cpu)
      std::memcpy(&values[cpu], bytes.data() + cpu * kStride, sizeof(V));
    return values;
  }
};

}  // namespace detail

// BPF_MAP_TYPE_PERCPU_ARRAY: max_entries × possible_cpus() values, all zero at first.
template <MapValue V>
class PerCpuArray : public detail::PerCpuMap<PerCpuArray<V>, MapType::kPerCpuArray, std::uint32_t, V> {
 public:
  static Expected<PerCpuArray> create(const Runtime& runtime, std::uint32_t max_entries,
                                      const MapOptions& options = {}) {
    return PerCpuArray::make(runtime, max_entries, options);
  }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::PerCpuMap<PerCpuArray<V>, MapType::kPerCpuArray, std::uint32_t, V>::PerCpuMap;
};

// BPF_MAP_TYPE_PERCPU_HASH: up to max_entries keys, each with possible_cpus() values.
template <MapKey K, MapValue V>
class PerCpuHash : public detail::PerCpuMap<PerCpuHash<K, V>, MapType::kPerCpuHash, K, V> {
 public:
  static Expected<PerCpuHash> create(const Runtime& runtime, std::uint32_t max_entries,
                                     const MapOptions& options = {}) {
    return PerCpuHash::make(runtime, max_entries, options);
  }
  // ENOENT when the key is absent.
  Expected<void> erase(const K& key) { return this->map_.erase(detail::raw(key)); }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::PerCpuMap<PerCpuHash<K, V>, MapType::kPerCpuHash, K, V>::PerCpuMap;
};

}  // namespace portolan
