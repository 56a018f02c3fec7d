// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>

#include "portolan/keyless_map.hpp"

namespace portolan {

// BPF_MAP_TYPE_BLOOM_FILTER: a set that may hold more than was put in, but never less. Sized for
// `max_entries` values; MapOptions::map_extra: how many hash functions, 1 to 15 (0: 5). All operations are
// thread-safe and may run in several processes.
template <MapKey V>
class BloomFilter : public detail::KeylessMap<BloomFilter<V>, MapType::kBloomFilter, V> {
 public:
  Expected<void> add(const V& value) { return this->map_.update({}, detail::raw(value)); }
  // False: it was never added. True: it most probably was.
  Expected<bool> may_contain(V value) const {
    const auto found = this->map_.lookup({}, detail::raw(value));
    if (!found && found.error().code() != ENOENT) return std::unexpected(found.error());
    return found.has_value();
  }

 private:
  template <class, MapType, class>
  friend class detail::KeylessMap;
  using detail::KeylessMap<BloomFilter<V>, MapType::kBloomFilter, V>::KeylessMap;
};

}  // namespace portolan
