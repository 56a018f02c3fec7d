// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "portolan/typed_map.hpp"

namespace portolan {
namespace detail {

// A map without keys, of which a value is put in at one end.
template <class Self, MapType kType, class V>
class KeylessMap {
 public:
  using Value = V;
  static Expected<Self> create(const Runtime& runtime, std::uint32_t max_entries,
                               const MapOptions& options = {}) {
    return wrap(RawMap::create(runtime, kType, 0, sizeof(V), max_entries, options));
  }
  // The map pinned at `path`. EINVAL, with a sentence, if it is not of this type.
  static Expected<Self> open_pinned(const Runtime& runtime, const std::string& path,
                                    MapFlags open_flags = kNoFlags) {
    return wrap(expect_shape(RawMap::open_pinned(runtime, path, open_flags), kType, 0, sizeof(V)));
  }
  // The map that `fd` stands for; takes the fd over. EINVAL, with a sentence, if it is not of this type.
  static Expected<Self> from_fd(const Runtime& runtime, int fd) {
    return wrap(expect_shape(RawMap::from_fd(runtime, fd), kType, 0, sizeof(V)));
  }

  // E2BIG: full; with `replaces_oldest`, the oldest value goes instead.
  Expected<void> push(const V& value, bool replaces_oldest = false) {
    return map_.update({}, detail::raw(value),
                       static_cast<std::uint64_t>(replaces_oldest ? Update::kExist : Update::kAny));
  }
  // The value whose turn it is, which leaves. ENOENT: empty.
  Expected<V> pop() {
    V value;
    if (auto taken = map_.take({}, detail::raw(value)); !taken) return std::unexpected(taken.error());
    return value;
  }
  // The same, which stays.
  Expected<V> peek() const {
    V value;
    if (auto found = map_.lookup({}, detail::raw(value)); !found) return std::unexpected(found.error());
    return value;
  }

  Expected<void> pin(const std::string& path) const { return map_.pin(path); }
  const MapInfo& info() const { return map_.info(); }
  int fd() const { return map_.fd(); }
  RawMap& raw() { return map_; }

 protected:
  explicit KeylessMap(RawMap map) : map_(std::move(map)) {}

 private:
  static Expected<Self> wrap(Expected<RawMap> map) {
    if (!map) return std::unexpected(map.error());
    return Self(std::move(*map));
  }
  RawMap map_;
};

}  // namespace detail

// BPF_MAP_TYPE_QUEUE: the oldest value leaves first. All operations are thread-safe and may run in several
// processes.
template <MapValue V>
class Queue : public detail::KeylessMap<Queue<V>, MapType::kQueue, V> {
  template <class, MapType, class>
  friend class detail::KeylessMap;
  using detail::KeylessMap<Queue<V>, MapType::kQueue, V>::KeylessMap;
};

// BPF_MAP_TYPE_STACK: the newest value leaves first.
template <MapValue V>
class Stack : public detail::KeylessMap<Stack<V>, MapType::kStack, V> {
  template <class, MapType, class>
  friend class detail::KeylessMap;
  using detail::KeylessMap<Stack<V>, MapType::kStack, V>::KeylessMap;
};

}  // namespace portolan
