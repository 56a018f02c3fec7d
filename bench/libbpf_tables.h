// SPDX-License-Identifier: Apache-2.0
// Maps through libbpf: the kernel's when run natively as root, Portolan's under `portolan run`.
#pragma once
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include <memory>
#include <vector>

namespace portolan::bench {

template <bpf_map_type kType, bool kPerCpu = false>
class LibbpfTable {
 public:
  static constexpr bool kIsArray = kType == BPF_MAP_TYPE_ARRAY || kType == BPF_MAP_TYPE_PERCPU_ARRAY;
  using Key = std::conditional_t<kIsArray, std::uint32_t, std::uint64_t>;

  static std::unique_ptr<LibbpfTable> make(std::uint32_t entries) {
    const int fd = bpf_map_create(kType, "bench", sizeof(Key), 8, entries, nullptr);
    return fd < 0 ? nullptr : std::unique_ptr<LibbpfTable>(new LibbpfTable(fd));
  }
  ~LibbpfTable() { ::close(fd_); }

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

 private:
  explicit LibbpfTable(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace portolan::bench
