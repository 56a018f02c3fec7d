// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>

#include "portolan/typed_map.hpp"

namespace portolan::detail {

// A map of values without keys. `Self` is the map's own class, constructible from a RawMap of the right
// shape.
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

  Expected<void> pin(const std::string& path) const { return map_.pin(path); }
  const MapInfo& info() const { return map_.info(); }
  int fd() const { return map_.fd(); }
  RawMap& raw() { return map_; }

 protected:
  explicit KeylessMap(RawMap map) : map_(std::move(map)) {}
  RawMap map_;

 private:
  static Expected<Self> wrap(Expected<RawMap> map) {
    if (!map) return std::unexpected(map.error());
    return Self(std::move(*map));
  }
};

}  // namespace portolan::detail
