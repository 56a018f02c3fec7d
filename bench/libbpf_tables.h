// SPDX-License-Identifier: Apache-2.0
// Maps through libbpf: the kernel's when run natively as root, Portolan's under `portolan run`.
#pragma once
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/lpm_workload.h"

namespace portolan::bench {

// Bytes, as /proc says what the map behind the fd takes; 0: it does not.
inline std::uint64_t memlock(int fd) {
  std::FILE* info = std::fopen(("/proc/self/fdinfo/" + std::to_string(fd)).c_str(), "r");
  char line[256];
  unsigned long long bytes = 0;
  while (info != nullptr && std::fgets(line, sizeof line, info) != nullptr)
    if (std::sscanf(line, "memlock: %llu", &bytes) == 1) break;
  if (info != nullptr) std::fclose(info);
  return bytes;
}

// Owns the fd of a map.
class LibbpfMap {
 public:
  explicit LibbpfMap(int fd) : fd_(fd) {}
  LibbpfMap(const LibbpfMap&) = delete;
  LibbpfMap& operator=(const LibbpfMap&) = delete;
  ~LibbpfMap() { ::close(fd_); }
  std::uint64_t memory() const { return memlock(fd_); }

 protected:
  template <class Table>
  static std::unique_ptr<Table> make_of(bpf_map_type type, std::uint32_t key_size, std::uint32_t entries,
                                        std::uint32_t flags = 0) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    const int fd = bpf_map_create(type, "bench", key_size, 8, entries, &options);
    return fd < 0 ? nullptr : std::make_unique<Table>(fd);
  }
  int fd_;
};

template <bpf_map_type kType, bool kPerCpu = false>
class LibbpfTable : public LibbpfMap {
 public:
  using LibbpfMap::LibbpfMap;
  static constexpr bool kIsArray = kType == BPF_MAP_TYPE_ARRAY || kType == BPF_MAP_TYPE_PERCPU_ARRAY;
  using Key = std::conditional_t<kIsArray, std::uint32_t, std::uint64_t>;

  static std::unique_ptr<LibbpfTable> make(std::uint32_t entries) {
    return make_of<LibbpfTable>(kType, sizeof(Key), entries);
  }

  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) {
    const Key k = static_cast<Key>(key);
    std::uint64_t values[256] = {value};
    bpf_map_update_elem(fd_, &k, values, BPF_ANY);
  }
  bool find(std::uint64_t key, std::uint64_t& value) {
    const Key k = static_cast<Key>(key);
    if constexpr (kPerCpu) {
      std::uint64_t values[256];
      if (bpf_map_lookup_elem(fd_, &k, values) != 0) return false;
      value = values[0];
      return true;
    } else {
      return bpf_map_lookup_elem(fd_, &k, &value) == 0;
    }
  }
  // User space adds to what the CPUs counted, not to the map.
  void add(std::uint64_t key) {
    std::uint64_t value = 0;
    if (find(key, value)) benchmark::DoNotOptimize(++value);
  }
  void erase(std::uint64_t key) {
    const Key k = static_cast<Key>(key);
    bpf_map_delete_elem(fd_, &k);
  }
  std::uint64_t walk() {
    Key key{}, next{};
    std::uint64_t seen = 0;
    for (const void* from = nullptr; bpf_map_get_next_key(fd_, from, &next) == 0; from = &key, ++seen)
      key = next;
    return seen;
  }
  std::uint64_t batches(std::uint64_t) {
    constexpr std::uint32_t kBatch = 4096;
    std::vector<Key> keys(kBatch);
    std::vector<std::uint64_t> values(kBatch);
    std::uint64_t seen = 0, position[2];
    for (void* from = nullptr;; from = &position[0]) {
      std::uint32_t count = kBatch;
      const int status =
          bpf_map_lookup_batch(fd_, from, &position[1], keys.data(), values.data(), &count, nullptr);
      if (status != 0 && errno != ENOENT) return 0;
      seen += count;
      if (status != 0) return seen;
      position[0] = position[1];
    }
  }
};

template <unsigned kKeyBytes>
class LibbpfLpm : public LibbpfMap {
 public:
  using LibbpfMap::LibbpfMap;
  static constexpr unsigned kBytes = kKeyBytes;
  using Key = Prefix<kBytes>;

  static std::unique_ptr<LibbpfLpm> make(std::uint32_t entries) {
    return make_of<LibbpfLpm>(BPF_MAP_TYPE_LPM_TRIE, Key::kSize, entries, BPF_F_NO_PREALLOC);
  }
  void fill(std::uint64_t entries) {
    for (const Key& prefix : prefixes<kBytes>(entries)) update(prefix, 1);
  }
  void update(const Key& prefix, std::uint64_t value) { bpf_map_update_elem(fd_, &prefix, &value, BPF_ANY); }
  bool find(const Key& address, std::uint64_t& value) {
    return bpf_map_lookup_elem(fd_, &address, &value) == 0;
  }
  void erase(const Key& prefix) { bpf_map_delete_elem(fd_, &prefix); }
};

class LibbpfQueue : public LibbpfMap {
 public:
  using LibbpfMap::LibbpfMap;
  static std::unique_ptr<LibbpfQueue> make(std::uint32_t entries) {
    return make_of<LibbpfQueue>(BPF_MAP_TYPE_QUEUE, 0, entries);
  }
  void fill(std::uint64_t) {}
  void push_pop(std::uint64_t value) {
    bpf_map_update_elem(fd_, nullptr, &value, BPF_ANY);
    bpf_map_lookup_and_delete_elem(fd_, nullptr, &value);
    benchmark::DoNotOptimize(value);
  }
};

class LibbpfBloom : public LibbpfMap {
 public:
  using LibbpfMap::LibbpfMap;
  static constexpr bool kIsArray = false;
  static std::unique_ptr<LibbpfBloom> make(std::uint32_t entries) {
    return make_of<LibbpfBloom>(BPF_MAP_TYPE_BLOOM_FILTER, 0, entries);
  }
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t) { bpf_map_update_elem(fd_, nullptr, &key, BPF_ANY); }
  bool find(std::uint64_t key, std::uint64_t&) { return bpf_map_lookup_elem(fd_, nullptr, &key) == 0; }
};

}  // namespace portolan::bench
