// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>
#include <string>
#include <utility>

#include "portolan/concepts.hpp"
#include "portolan/raw_map.hpp"
#include "portolan/walk.hpp"

namespace portolan::detail {

// Refuses a map whose type or sizes are not those of the C++ type.
PORTOLAN_EXPORT Expected<RawMap> expect_shape(Expected<RawMap> map, MapType type, std::size_t key_size,
                                              std::size_t value_size);

// What all typed maps have. `Self` is the map's own class, constructible from a RawMap of the right shape.
template <class Self, MapType kType, class K, class V>
class TypedMap {
 public:
  using Key = K;
  using Value = V;

  // The map pinned at `path`. EINVAL, with a sentence, if it is not of this type.
  static Expected<Self> open_pinned(const Runtime& runtime, const std::string& path,
                                    MapFlags open_flags = kNoFlags) {
    return wrap(expect_shape(RawMap::open_pinned(runtime, path, open_flags), kType, sizeof(K), sizeof(V)));
  }
  // The map that `fd` stands for; takes the fd over. EINVAL, with a sentence, if it is not of this type.
  static Expected<Self> from_fd(const Runtime& runtime, int fd) {
    return wrap(expect_shape(RawMap::from_fd(runtime, fd), kType, sizeof(K), sizeof(V)));
  }

  Expected<void> pin(const std::string& path) const { return map_.pin(path); }
  Expected<void> freeze() { return map_.freeze(); }
  const MapInfo& info() const { return map_.info(); }
  int fd() const { return map_.fd(); }
  RawMap& raw() { return map_; }
  const RawMap& raw() const { return map_; }

 protected:
  explicit TypedMap(RawMap map) : map_(std::move(map)) {}
  static Expected<Self> wrap(Expected<RawMap> map) {
    if (!map) return std::unexpected(map.error());
    return Self(std::move(*map));
  }
  static Expected<Self> make(const Runtime& runtime, std::uint32_t max_entries, const MapOptions& options) {
    return wrap(RawMap::create(runtime, kType, sizeof(K), sizeof(V), max_entries, options));
  }
  RawMap map_;
};

// for (auto [key, value] : map), for maps with one value per key.
template <class Self, MapType kType, class K, class V>
class WalkableMap : public TypedMap<Self, kType, K, V> {
 public:
  auto begin() const { return WalkIterator<K, V>(this->map_); }
  std::default_sentinel_t end() const { return {}; }

  // Calls `visit(key, value)` for each element; how many there were. Unlike a range-for, tells when the walk
  // ended early.
  template <class Visit>
  Expected<std::size_t> for_each(Visit&& visit) const {
    Walk<K, V> walk(this->map_);
    std::size_t visited = 0;
    for (; !walk.at_end(); walk.advance(), ++visited) {
      const Entry<K, V> entry = walk.current();
      visit(entry.key, entry.value);
    }
    if (walk.error()) return std::unexpected(*walk.error());
    return visited;
  }

  // Batches over spans, one bpf(2) call each on the kernel. `keys` and `values` must be equally long (EINVAL
  // else). Values are those of bpf(2): a V whose size is not a multiple of 8 is packed without gaps.
  Expected<std::size_t> lookup_batch(BatchCursor& cursor, std::span<K> keys, std::span<V> values) const {
    if (keys.size() != values.size()) return std::unexpected(Error(Operation::kLookupBatch, EINVAL));
    return this->map_.lookup_batch(cursor, std::as_writable_bytes(keys), std::as_writable_bytes(values));
  }
  Expected<std::size_t> update_batch(std::span<const K> keys, std::span<const V> values,
                                     Update mode = Update::kAny) {
    if (keys.size() != values.size()) return std::unexpected(Error(Operation::kUpdateBatch, EINVAL));
    return this->map_.update_batch(std::as_bytes(keys), std::as_bytes(values),
                                   static_cast<std::uint64_t>(mode));
  }

 protected:
  using TypedMap<Self, kType, K, V>::TypedMap;
};

}  // namespace portolan::detail
