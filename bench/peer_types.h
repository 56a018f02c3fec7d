// SPDX-License-Identifier: Apache-2.0
// What others have for longest prefixes, queues, filters and rings of records.
#pragma once
#include <rte_fib.h>
#include <rte_lpm.h>
#include <rte_member.h>
#include <rte_ring.h>
#include <sys/mman.h>

#include <atomic>

#include "bench/lpm_workload.h"
#include "bench/peer_tables.h"

namespace portolan::bench {

inline std::string dpdk_name() {
  static int made = 0;
  return "peer" + std::to_string(made++);
}

// A rule is found by a search of all of its length: beyond some 100,000 it takes minutes to fill.
class RteLpm {
 public:
  static constexpr unsigned kBytes = 4;
  static std::unique_ptr<RteLpm> make(std::uint32_t entries) {
    if (!dpdk_is_ready() || entries > 200'000) return nullptr;
    const rte_lpm_config config{.max_rules = entries, .number_tbl8s = 1 << 16, .flags = 0};
    rte_lpm* lpm = rte_lpm_create(dpdk_name().c_str(), SOCKET_ID_ANY, &config);
    return lpm == nullptr ? nullptr : std::unique_ptr<RteLpm>(new RteLpm(lpm));
  }
  ~RteLpm() { rte_lpm_free(lpm_); }
  void fill(std::uint64_t entries) {
    for (const auto& prefix : prefixes<4>(entries))
      rte_lpm_add(lpm_, prefix.number(), static_cast<std::uint8_t>(prefix.length), 1);
  }
  bool find(const Prefix<4>& address, std::uint64_t& value) {
    std::uint32_t hop = 0;
    if (rte_lpm_lookup(lpm_, address.number(), &hop) != 0) return false;
    value = hop;
    return true;
  }

 private:
  explicit RteLpm(rte_lpm* lpm) : lpm_(lpm) {}
  rte_lpm* lpm_;
};

// The same tables as rte_lpm's, with the rules in a tree.
class RteFib {
 public:
  static constexpr unsigned kBytes = 4;
  static std::unique_ptr<RteFib> make(std::uint32_t entries) {
    if (!dpdk_is_ready()) return nullptr;
    rte_fib_conf config{};
    config.type = RTE_FIB_DIR24_8;
    config.default_nh = kNothing;
    config.max_routes = static_cast<int>(entries * 2);  // nodes between the rules count too
    config.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    config.dir24_8.num_tbl8 = 1 << 16;
    rte_fib* fib = rte_fib_create(dpdk_name().c_str(), SOCKET_ID_ANY, &config);
    return fib == nullptr ? nullptr : std::unique_ptr<RteFib>(new RteFib(fib));
  }
  ~RteFib() { rte_fib_free(fib_); }
  void fill(std::uint64_t entries) {
    for (const auto& prefix : prefixes<4>(entries)) update(prefix, 1);
  }
  void update(const Prefix<4>& prefix, std::uint64_t hop) {
    rte_fib_add(fib_, prefix.number(), static_cast<std::uint8_t>(prefix.length), hop);
  }
  void erase(const Prefix<4>& prefix) {
    rte_fib_delete(fib_, prefix.number(), static_cast<std::uint8_t>(prefix.length));
  }
  bool find(const Prefix<4>& address, std::uint64_t& value) {
    std::uint32_t number = address.number();
    rte_fib_lookup_bulk(fib_, &number, &value, 1);
    return value != kNothing;
  }

 private:
  static constexpr std::uint64_t kNothing = (1u << 30) - 1;
  explicit RteFib(rte_fib* fib) : fib_(fib) {}
  rte_fib* fib_;
};

class RteRing {
 public:
  static std::unique_ptr<RteRing> make(std::uint32_t entries) {
    if (!dpdk_is_ready()) return nullptr;
    rte_ring* ring = rte_ring_create(dpdk_name().c_str(), entries, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    return ring == nullptr ? nullptr : std::unique_ptr<RteRing>(new RteRing(ring));
  }
  ~RteRing() { rte_ring_free(ring_); }
  void fill(std::uint64_t) {}
  void push_pop(std::uint64_t value) {
    void* word = reinterpret_cast<void*>(value);
    rte_ring_mp_enqueue(ring_, word);
    rte_ring_mc_dequeue(ring_, &word);
    benchmark::DoNotOptimize(word);
  }

 private:
  explicit RteRing(rte_ring* ring) : ring_(ring) {}
  rte_ring* ring_;
};

class RteBloom {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<RteBloom> make(std::uint32_t entries) {
    if (!dpdk_is_ready()) return nullptr;
    const std::string name = dpdk_name();
    rte_member_parameters parameters{};
    parameters.name = name.c_str();
    parameters.type = RTE_MEMBER_TYPE_VBF;
    parameters.num_keys = entries;
    parameters.key_len = 8;
    parameters.num_set = 1;
    parameters.prim_hash_seed = 1;
    parameters.sec_hash_seed = 2;
    parameters.false_positive_rate = 0.03F;  // five hashes
    rte_member_setsum* set = rte_member_create(&parameters);
    return set == nullptr ? nullptr : std::unique_ptr<RteBloom>(new RteBloom(set));
  }
  ~RteBloom() { rte_member_free(set_); }
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t) { rte_member_add(set_, &key, 1); }
  bool find(std::uint64_t key, std::uint64_t&) {
    member_set_t found = 0;
    return rte_member_lookup(set_, &key, &found) > 0;
  }

 private:
  explicit RteBloom(rte_member_setsum* set) : set_(set) {}
  rte_member_setsum* set_;
};

// Records with a header as Linux has it, below a spinlock, in memory that processes could share.
class SpinRing {
 public:
  static std::unique_ptr<SpinRing> make(std::uint32_t bytes) { return std::make_unique<SpinRing>(bytes); }
  explicit SpinRing(std::uint32_t bytes) : size_(bytes) {
    void* pages = ::mmap(nullptr, kPage + size_, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    control_ = static_cast<Control*>(pages);
    data_ = static_cast<std::byte*>(pages) + kPage;
  }
  ~SpinRing() { ::munmap(control_, kPage + size_); }
  void fill(std::uint64_t) {}
  void submit(std::uint64_t value) {
    constexpr std::uint32_t kLength = 16, kBusy = 1u << 31;
    while (control_->lock.exchange(1, std::memory_order_acquire) != 0) __builtin_ia32_pause();
    const std::uint64_t at = control_->producer.load(std::memory_order_relaxed);
    const bool has_room = at + kLength - control_->consumer.load(std::memory_order_acquire) <= size_;
    auto* record = reinterpret_cast<std::uint32_t*>(data_ + (at & (size_ - 1)));
    if (has_room) {
      *record = 8 | kBusy;
      control_->producer.store(at + kLength, std::memory_order_release);
    }
    control_->lock.store(0, std::memory_order_release);
    if (!has_room) return;
    std::memcpy(record + 2, &value, sizeof value);
    std::atomic_ref(*record).store(8, std::memory_order_release);
  }
  void consume_all() {
    control_->consumer.store(control_->producer.load(std::memory_order_acquire), std::memory_order_release);
  }

 private:
  static constexpr std::size_t kPage = 4096;
  struct Control {
    alignas(64) std::atomic<std::uint32_t> lock;
    std::atomic<std::uint64_t> producer;
    alignas(64) std::atomic<std::uint64_t> consumer;
  };
  Control* control_;
  std::byte* data_;
  std::uint64_t size_;
};

}  // namespace portolan::bench
