// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "portolan/runtime.hpp"

namespace portolan {

// enum bpf_map_type, as far as the typed maps need it; any other number may be cast to it.
enum class MapType : std::uint32_t {
  kHash = 1,
  kArray = 2,
  kProgArray = 3,
  kPerfEventArray = 4,
  kPerCpuHash = 5,
  kPerCpuArray = 6,
  kStackTrace = 7,
  kLruHash = 9,
  kLruPerCpuHash = 10,
  kLpmTrie = 11,
  kArrayOfMaps = 12,
  kHashOfMaps = 13,
  kQueue = 22,
  kStack = 23,
  kRingbuf = 27,
  kBloomFilter = 30,
  kUserRingbuf = 31,
  kRhash = 35,
};

// Flags of a map, as bpf(2) has them; combined by |.
enum MapFlags : std::uint32_t {
  kNoFlags = 0,
  kNoPrealloc = 1u << 0,     // BPF_F_NO_PREALLOC: memory as elements come (hash types; LPM tries must)
  kNoCommonLru = 1u << 1,    // BPF_F_NO_COMMON_LRU: an LRU list for each CPU
  kNumaNode = 1u << 2,       // BPF_F_NUMA_NODE: MapOptions::numa_node counts
  kReadOnly = 1u << 3,       // BPF_F_RDONLY: this fd may not change the map
  kWriteOnly = 1u << 4,      // BPF_F_WRONLY: this fd may not read the map
  kZeroSeed = 1u << 6,       // BPF_F_ZERO_SEED: hash with seed 0
  kReadOnlyProg = 1u << 7,   // BPF_F_RDONLY_PROG: programs may not change the map
  kWriteOnlyProg = 1u << 8,  // BPF_F_WRONLY_PROG: programs may not read the map
  kMmapable = 1u << 10,      // BPF_F_MMAPABLE: the values can be mapped (arrays)
  kInnerMap = 1u << 12,  // BPF_F_INNER_MAP: may be swapped for an array of another size in an array of maps
};
constexpr MapFlags operator|(MapFlags a, MapFlags b) {
  return static_cast<MapFlags>(std::uint32_t{a} | std::uint32_t{b});
}

// What an update does with a key that is, or is not, there.
enum class Update : std::uint64_t { kAny = 0, kNoExist = 1, kExist = 2 };

struct MapOptions {
  std::string name = {};  // up to 15 characters of [A-Za-z0-9_.]
  MapFlags flags = kNoFlags;
  std::uint32_t numa_node = 0;
  int btf_fd = -1;  // with the two ids: the types of key and value, for printing
  std::uint32_t btf_key_type_id = 0;
  std::uint32_t btf_value_type_id = 0;
  std::uint64_t map_extra = 0;  // what the type says it is: a Bloom filter's hash functions
};

struct MapInfo {
  MapType type{};
  std::uint32_t id = 0;
  std::uint32_t key_size = 0;    // bytes
  std::uint32_t value_size = 0;  // bytes; per-CPU maps: of one CPU's value
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;
  std::string name;
};

namespace detail {

struct MapState;

// The way that the typed maps go in their inlined operations; all null for the kernel's maps.
struct FastPath {
  std::byte* values = nullptr;  // of an array: max_entries elements, `stride` bytes apart
  std::size_t stride = 0;
  std::uint32_t max_entries = 0;
  const void* table = nullptr;  // of a hash
};

// False: absent. `table` is FastPath::table.
PORTOLAN_EXPORT bool hash_lookup(const void* table, const void* key, void* value) noexcept;
PORTOLAN_EXPORT std::byte* hash_find(const void* table, const void* key) noexcept;

}  // namespace detail

// Position of a batched walk. Starts at the beginning; opaque.
struct BatchCursor {
  std::uint64_t bytes[64] = {};  // what bpf(2) calls in_batch: up to a whole key
  bool started = false;
  bool finished = false;
};

// A map whose keys and values are bytes: what the typed maps stand on, and the way out of them. Owns its fd.
// Moving is cheap. All operations are thread-safe.
//
// Sizes: `key` must have info().key_size bytes, `value` value_bytes() bytes (per-CPU maps: each possible
// CPU's value rounded up to 8 bytes, one after the other); EINVAL otherwise. Semantics and errnos are those
// of bpf(2).
class RawMap {
 public:
  PORTOLAN_EXPORT static Expected<RawMap> create(const Runtime& runtime, MapType type, std::uint32_t key_size,
                                                 std::uint32_t value_size, std::uint32_t max_entries,
                                                 const MapOptions& options = {});
  // The map pinned at `path`, for example "/sys/fs/bpf/flows". `open_flags`: kReadOnly or kWriteOnly.
  PORTOLAN_EXPORT static Expected<RawMap> open_pinned(const Runtime& runtime, const std::string& path,
                                                      MapFlags open_flags = kNoFlags);
  // The map that `fd` stands for. Takes the fd over, also on failure.
  PORTOLAN_EXPORT static Expected<RawMap> from_fd(const Runtime& runtime, int fd);
  PORTOLAN_EXPORT RawMap(RawMap&& other) noexcept;
  PORTOLAN_EXPORT RawMap& operator=(RawMap&& other) noexcept;
  PORTOLAN_EXPORT ~RawMap();

  PORTOLAN_EXPORT int fd() const;  // valid as long as this map
  PORTOLAN_EXPORT const MapInfo& info() const;
  PORTOLAN_EXPORT const Runtime& runtime() const;
  PORTOLAN_EXPORT std::size_t value_bytes() const;

  PORTOLAN_EXPORT Expected<void> lookup(std::span<const std::byte> key, std::span<std::byte> value,
                                        std::uint64_t flags = 0) const;
  PORTOLAN_EXPORT Expected<void> update(std::span<const std::byte> key, std::span<const std::byte> value,
                                        std::uint64_t flags = 0);
  PORTOLAN_EXPORT Expected<void> erase(std::span<const std::byte> key);
  PORTOLAN_EXPORT Expected<void> take(std::span<const std::byte> key, std::span<std::byte> value);
  // The key after `key` (empty: the first). ENOENT after the last.
  PORTOLAN_EXPORT Expected<void> next_key(std::span<const std::byte> key, std::span<std::byte> next) const;

  // Batches: `keys` and `values` hold whole elements one after the other. Each gives how many elements it
  // did. lookup_batch and take_batch walk the map; they give 0 with cursor.finished when there is nothing
  // more.
  PORTOLAN_EXPORT Expected<std::size_t> lookup_batch(BatchCursor& cursor, std::span<std::byte> keys,
                                                     std::span<std::byte> values) const;
  PORTOLAN_EXPORT Expected<std::size_t> take_batch(BatchCursor& cursor, std::span<std::byte> keys,
                                                   std::span<std::byte> values);
  PORTOLAN_EXPORT Expected<std::size_t> update_batch(std::span<const std::byte> keys,
                                                     std::span<const std::byte> values,
                                                     std::uint64_t flags = 0);
  PORTOLAN_EXPORT Expected<std::size_t> erase_batch(std::span<const std::byte> keys);

  PORTOLAN_EXPORT Expected<void> pin(const std::string& path) const;
  // No more changes from user space (BPF_MAP_FREEZE).
  PORTOLAN_EXPORT Expected<void> freeze();

  const detail::FastPath& fast_path() const { return fast_; }

 private:
  explicit RawMap(std::unique_ptr<detail::MapState> state);
  std::unique_ptr<detail::MapState> state_;
  detail::FastPath fast_;
};

}  // namespace portolan
