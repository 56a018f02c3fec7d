// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>

#include "portolan/typed_map.hpp"

namespace portolan {

// BPF_MAP_TYPE_BLOOM_FILTER: a set that may hold more than was put in, but never less. All operations are
// thread-safe and may run in several processes.
template <MapKey V>
class BloomFilter {
 public:
  using Value = V;
  // Sized for `max_entries` values; options.map_extra: how many hash functions, 1 to 15 (0: 5).
  static Expected<BloomFilter> create(const Runtime& runtime, std::uint32_t max_entries,
                                      const MapOptions& options = {}) {
    return wrap(RawMap::create(runtime, MapType::kBloomFilter, 0, sizeof(V), max_entries, options));
  }
  // The filter pinned at `path`. EINVAL, with a sentence, if it is none of such values.
  static Expected<BloomFilter> open_pinned(const Runtime& runtime, const std::string& path,
                                           MapFlags open_flags = kNoFlags) {
    return wrap(detail::expect_shape(RawMap::open_pinned(runtime, path, open_flags), MapType::kBloomFilter, 0,
                                     sizeof(V)));
  }
  // The filter that `fd` stands for; takes the fd over.
  static Expected<BloomFilter> from_fd(const Runtime& runtime, int fd) {
    return wrap(detail::expect_shape(RawMap::from_fd(runtime, fd), MapType::kBloomFilter, 0, sizeof(V)));
  }

  Expected<void> add(const V& value) { return map_.update({}, detail::raw(value)); }
  // False: it was never added. True: it most probably was.
  Expected<bool> may_contain(V value) const {
    const auto found = map_.lookup({}, detail::raw(value));
    if (!found && found.error().code() != ENOENT) return std::unexpected(found.error());
    return found.has_value();
  }

  Expected<void> pin(const std::string& path) const { return map_.pin(path); }
  const MapInfo& info() const { return map_.info(); }
  int fd() const { return map_.fd(); }
  RawMap& raw() { return map_; }

 private:
  explicit BloomFilter(RawMap map) : map_(std::move(map)) {}
  static Expected<BloomFilter> wrap(Expected<RawMap> map) {
    if (!map) return std::unexpected(map.error());
    return BloomFilter(std::move(*map));
  }
  RawMap map_;
};

}  // namespace portolan
