// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "portolan/typed_map.hpp"

namespace portolan {

namespace detail {

// What hashes with one value a key have.
template <class Self, MapType kType, class K, class V>
class HashMap : public WalkableMap<Self, kType, K, V> {
 public:
  // A copy of the value. ENOENT when the key is absent.
  Expected<V> lookup(const K& key) const {
    V value;
    if (const void* table = this->map_.fast_path().table; table != nullptr) [[likely]] {
      if (hash_lookup(table, &key, &value)) return value;
      return std::unexpected(Error(Operation::kLookup, ENOENT));
    }
    if (auto found = this->map_.lookup(raw(key), raw(value)); !found) return std::unexpected(found.error());
    return value;
  }
  bool contains(const K& key) const { return lookup(key).has_value(); }

  // Where the value lies, or nullptr when the key is absent or the backend has no pointers (the kernel's
  // hashes). It stays readable memory as long as this map object lives, but belongs to the key only until the
  // element is erased or updated: then it may be given to another key. Where others write, use lookup.
  V* find(const K& key) const {
    const void* table = this->map_.fast_path().table;
    return table == nullptr ? nullptr : reinterpret_cast<V*>(hash_find(table, &key));
  }

  // E2BIG: full. EEXIST, ENOENT by `mode`. EPERM: frozen, or opened kReadOnly. ENOMEM: kNoPrealloc and no
  // memory.
  Expected<void> update(const K& key, const V& value, Update mode = Update::kAny) {
    return this->map_.update(raw(key), raw(value), static_cast<std::uint64_t>(mode));
  }
  // ENOENT when the key is absent.
  Expected<void> erase(const K& key) { return this->map_.erase(raw(key)); }
  // Removes the element and gives its last value. ENOENT when the key is absent.
  Expected<V> take(const K& key) {
    V value;
    if (auto taken = this->map_.take(raw(key), raw(value)); !taken) return std::unexpected(taken.error());
    return value;
  }

  Expected<std::size_t> erase_batch(std::span<const K> keys) {
    return this->map_.erase_batch(std::as_bytes(keys));
  }
  Expected<std::size_t> take_batch(BatchCursor& cursor, std::span<K> keys, std::span<V> values) {
    if (keys.size() != values.size()) return std::unexpected(Error(Operation::kTakeBatch, EINVAL));
    return this->map_.take_batch(cursor, std::as_writable_bytes(keys), std::as_writable_bytes(values));
  }

 protected:
  using WalkableMap<Self, kType, K, V>::WalkableMap;
};

}  // namespace detail

// BPF_MAP_TYPE_HASH: up to max_entries elements. All operations are thread-safe and may run in several
// processes. lookup never waits and gives a value that some update put there, never a mix of two.
template <MapKey K, MapValue V>
class Hash : public detail::HashMap<Hash<K, V>, MapType::kHash, K, V> {
 public:
  static Expected<Hash> create(const Runtime& runtime, std::uint32_t max_entries,
                               const MapOptions& options = {}) {
    return Hash::make(runtime, max_entries, options);
  }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::HashMap<Hash<K, V>, MapType::kHash, K, V>::HashMap;
};

// BPF_MAP_TYPE_LRU_HASH: as Hash, but update never fails for lack of room: when max_entries are there, a key
// goes that was not looked up or updated for long. A lookup or find here keeps a key, as a program's does; on
// the kernel's maps only programs' do.
template <MapKey K, MapValue V>
class LruHash : public detail::HashMap<LruHash<K, V>, MapType::kLruHash, K, V> {
 public:
  static Expected<LruHash> create(const Runtime& runtime, std::uint32_t max_entries,
                                  const MapOptions& options = {}) {
    return LruHash::make(runtime, max_entries, options);
  }

 private:
  template <class, MapType, class, class>
  friend class detail::TypedMap;
  using detail::HashMap<LruHash<K, V>, MapType::kLruHash, K, V>::HashMap;
};

}  // namespace portolan
