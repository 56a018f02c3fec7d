// SPDX-License-Identifier: Apache-2.0
// The thread-safe tables of others, each as its own documentation says it is meant to be used.
#pragma once
#include <absl/container/flat_hash_map.h>
#include <absl/hash/hash.h>
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_lcore.h>
#include <sched.h>
#include <tbb/concurrent_hash_map.h>

#include <array>
#include <libcuckoo/cuckoohash_map.hh>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace portolan::bench {

// absl::flat_hash_map is not thread-safe: 64 of them, each behind a mutex.
class AbslSharded {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<AbslSharded> make(std::uint32_t entries) {
    auto table = std::make_unique<AbslSharded>();
    for (Shard& shard : table->shards_) shard.map.reserve(entries / kShards + entries / kShards / 8 + 1);
    return table;
  }
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    shard.map.insert_or_assign(key, value);
  }
  bool find(std::uint64_t key, std::uint64_t& value) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.map.find(key);
    if (found == shard.map.end()) return false;
    value = found->second;
    return true;
  }
  void erase(std::uint64_t key) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    shard.map.erase(key);
  }
  std::uint64_t walk() {
    std::uint64_t seen = 0;
    for (Shard& shard : shards_) {
      std::lock_guard lock(shard.mutex);
      for (const auto& entry : shard.map) {
        benchmark::DoNotOptimize(entry);
        ++seen;
      }
    }
    return seen;
  }

 private:
  static constexpr std::size_t kShards = 64;
  struct alignas(64) Shard {
    std::mutex mutex;
    absl::flat_hash_map<std::uint64_t, std::uint64_t> map;
  };
  // The keys are random already: their upper bits choose the shard.
  Shard& shard_of(std::uint64_t key) { return shards_[key >> 58]; }
  std::array<Shard, kShards> shards_;
};

class TbbHash {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<TbbHash> make(std::uint32_t entries) { return std::make_unique<TbbHash>(entries); }
  explicit TbbHash(std::uint32_t entries) : map_(entries) {}
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) {
    Map::accessor place;
    map_.insert(place, key);
    place->second = value;
  }
  bool find(std::uint64_t key, std::uint64_t& value) {
    Map::const_accessor place;
    if (!map_.find(place, key)) return false;
    value = place->second;
    return true;
  }
  void erase(std::uint64_t key) { map_.erase(key); }

 private:
  using Map = tbb::concurrent_hash_map<std::uint64_t, std::uint64_t>;
  Map map_;
};

class Cuckoo {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<Cuckoo> make(std::uint32_t entries) { return std::make_unique<Cuckoo>(entries); }
  explicit Cuckoo(std::uint32_t entries) : map_(entries) {}
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) { map_.insert_or_assign(key, value); }
  bool find(std::uint64_t key, std::uint64_t& value) { return map_.find(key, value); }
  void erase(std::uint64_t key) { map_.erase(key); }
  std::uint64_t walk() {
    std::uint64_t seen = 0;
    for (const auto& entry : map_.lock_table()) {
      benchmark::DoNotOptimize(entry);
      ++seen;
    }
    return seen;
  }

 private:
  libcuckoo::cuckoohash_map<std::uint64_t, std::uint64_t, absl::Hash<std::uint64_t>> map_;
};

inline bool dpdk_is_ready() {
  static const bool ready = [] {
    const char* arguments[] = {"bench",
                               "--no-huge",
                               "--no-shconf",
                               "--no-pci",
                               "--no-telemetry",
                               "-m",
                               "3072",
                               "--log-level=*:critical",
                               "-l",
                               "0"};
    cpu_set_t cpus;  // it keeps the thread, and so all that come from it, to one processor
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    const bool is_there = rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) >= 0;
    ::sched_setaffinity(0, sizeof cpus, &cpus);
    return is_there;
  }();
  return ready;
}

// DPDK's rte_hash with lock-free readers.
class RteHash {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<RteHash> make(std::uint32_t entries) {
    if (!dpdk_is_ready()) return nullptr;
    static int made = 0;
    const std::string name = "bench" + std::to_string(made++);
    rte_hash_parameters parameters{};
    parameters.name = name.c_str();
    parameters.entries = std::max(entries + entries / 8, 16u);
    parameters.key_len = 8;
    parameters.hash_func = rte_jhash;
    parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_MULTI_WRITER_ADD |
                            RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
    rte_hash* hash = rte_hash_create(&parameters);
    return hash == nullptr ? nullptr : std::unique_ptr<RteHash>(new RteHash(hash));
  }
  ~RteHash() { rte_hash_free(hash_); }
  // Free slots are kept for each lcore: a thread that is none cannot insert.
  void fill(std::uint64_t entries) {
    const bool is_guest = rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0;
    for (std::uint64_t n = 0; n < entries; ++n) insert(key(n), n);
    if (is_guest) rte_thread_unregister();
  }
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) {
    rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(value));
  }
  bool find(std::uint64_t key, std::uint64_t& value) {
    void* data = nullptr;
    if (rte_hash_lookup_data(hash_, &key, &data) < 0) return false;
    value = reinterpret_cast<std::uint64_t>(data);
    return true;
  }
  void erase(std::uint64_t key) {
    const int position = rte_hash_del_key(hash_, &key);
    if (position >= 0) rte_hash_free_key_with_position(hash_, position);
  }
  std::uint64_t walk() {
    const void* key = nullptr;
    void* data = nullptr;
    std::uint32_t next = 0;
    std::uint64_t seen = 0;
    while (rte_hash_iterate(hash_, &key, &data, &next) >= 0) ++seen;
    return seen;
  }
  std::uint64_t batches(std::uint64_t entries) {
    std::uint64_t keys[RTE_HASH_LOOKUP_BULK_MAX], seen = 0;
    const void* pointers[RTE_HASH_LOOKUP_BULK_MAX];
    void* data[RTE_HASH_LOOKUP_BULK_MAX];
    for (std::size_t i = 0; i < std::size(keys); ++i) pointers[i] = &keys[i];
    for (std::uint64_t n = 0; n < entries; n += std::size(keys)) {
      const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::size(keys), entries - n));
      for (std::uint32_t i = 0; i < count; ++i) keys[i] = bench::key(n + i);
      std::uint64_t hits = 0;
      rte_hash_lookup_bulk_data(hash_, pointers, count, &hits, data);
      seen += static_cast<std::uint64_t>(__builtin_popcountll(hits));
    }
    return seen;
  }

 private:
  explicit RteHash(rte_hash* hash) : hash_(hash) {}
  rte_hash* hash_;
};

// A plain array: what an ARRAY map is measured against.
class PlainArray {
 public:
  static constexpr bool kIsArray = true;
  static std::unique_ptr<PlainArray> make(std::uint32_t entries) {
    return std::make_unique<PlainArray>(entries);
  }
  explicit PlainArray(std::uint32_t entries) : values_(entries) {}
  void insert(std::uint64_t key, std::uint64_t value) { values_[key] = value; }
  bool find(std::uint64_t key, std::uint64_t& value) {
    if (key >= values_.size()) return false;
    value = values_[key];
    return true;
  }

 private:
  std::vector<std::uint64_t> values_;
};

}  // namespace portolan::bench
