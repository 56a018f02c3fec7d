// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include "portolan/typed_map.hpp"

namespace portolan {

// The first `length` bits of `data`, whose first bit is the highest of the first byte (struct
// bpf_lpm_trie_key). Bits beyond them do not count.
template <std::size_t kBytes>
struct Prefix {
  std::uint32_t length;
  std::array<std::uint8_t, kBytes> data;
};
using Ipv4Prefix = Prefix<4>;
using Ipv6Prefix = Prefix<16>;

// BPF_MAP_TYPE_LPM_TRIE: up to max_entries prefixes; kBytes: 4 to 256, whole words. All operations are
// thread-safe and may run in several processes. lookup never waits. Walks give what is longer before what it
// begins with.
template <std::size_t kBytes, MapValue V>
  requires(kBytes % 4 == 0 && kBytes != 0 && kBytes <= 256)
class LpmTrie : public detail::WalkableMap<LpmTrie<kBytes, V>, MapType::kLpmTrie, Prefix<kBytes>, V> {
 public:
  using Key = Prefix<kBytes>;
  static Expected<LpmTrie> create(const Runtime& runtime, std::uint32_t max_entries,
                                  MapOptions options = {}) {
    options.flags = options.flags | kNoPrealloc;  // there is no other
    return LpmTrie::make(runtime, max_entries, options);
  }

  // The value of the longest prefix that `key` begins with and that is no longer than it. ENOENT: none.
  Expected<V> lookup(const Key& key) const {
    V value;
    if (auto found = this->map_.lookup(detail::raw(key), detail::raw(value)); !found)
      return std::unexpected(found.error());
    return value;
  }
  // ENOSPC: full. EINVAL: longer than can be. EEXIST, ENOENT by `mode`.
  Expected<void> update(const Key& key, const V& value, Update mode = Update::kAny) {
    return this->map_.update(detail::raw(key), detail::raw(value), static_cast<std::uint64_t>(mode));
  }
  // That very prefix. ENOENT.
  Expected<void> erase(const Key& key) { return this->map_.erase(detail::raw(key)); }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::WalkableMap<LpmTrie<kBytes, V>, MapType::kLpmTrie, Prefix<kBytes>, V>::WalkableMap;
};

}  // namespace portolan
