// SPDX-License-Identifier: Apache-2.0
// Portolan's maps as the helpers of its programs use them, map::Map's operations of programs: for the types
// that have no class in the C++ API. Between the helper and these lies only the staging of keys that are not
// aligned.
#pragma once
#include <cstring>
#include <string>

#include "abi/map_flags.h"
#include "bench/lpm_workload.h"
#include "map/family.h"
#include "map/ring_buffer.h"
#include "sync/call_epoch.h"
#include "syscall/dispatch.h"

namespace portolan::bench {

// A private runtime, gone with the process.
class ProgramRuntime {
 public:
  static object::Runtime& get() {
    static ProgramRuntime one;
    return *one.runtime_;
  }
  ~ProgramRuntime() {
    const std::string directory = runtime_->directory();
    runtime_.reset();
    (void)object::Runtime::remove_private_directory(directory);
  }

 private:
  ProgramRuntime() {
    std::string why;
    const auto directory = object::Runtime::make_private_directory(&why);
    auto opened = directory ? object::Runtime::open(*directory, {}, &why)
                            : Result<std::unique_ptr<object::Runtime>>(fail(directory.error().value));
    if (!opened) std::abort();
    runtime_ = std::move(*opened);
    syscall::prepare(*runtime_);
  }
  std::unique_ptr<object::Runtime> runtime_;
};

template <abi::MapType kType, class Key = std::uint64_t>
class ProgramTable {
 public:
  static constexpr bool kIsArray = kType == abi::MapType::kPerCpuArray;
  static constexpr unsigned kBytes = [] {  // of an LPM trie's data
    if constexpr (requires { Key::kSize; }) return Key::kSize - 4;
    return 0u;
  }();
  struct Run {  // a run of a program is one call, however many operations it does
    sync::CallEpoch epoch;
  };

  static std::unique_ptr<ProgramTable> make(std::uint32_t entries) {
    object::Runtime& runtime = ProgramRuntime::get();
    map::MapSpec spec;
    spec.type = static_cast<std::uint32_t>(kType);
    spec.key_size = key_size();
    spec.value_size = kType == abi::MapType::kRingbuf ? 0 : 8;
    spec.max_entries = entries;
    spec.map_flags = kType == abi::MapType::kLpmTrie ? abi::map_flag::kNoPrealloc : 0;
    spec.cpus = runtime.possible_cpus();
    spec.seed = 0x5eed;
    auto draft = map::draft_map(runtime, spec);
    if (!draft) return nullptr;
    auto published = runtime.publish(std::move(*draft), {}, shm::Access::kReadWrite);
    if (!published) return nullptr;
    return std::unique_ptr<ProgramTable>(new ProgramTable(std::move(*published)));
  }
  ~ProgramTable() {
    object::Runtime& runtime = ProgramRuntime::get();
    sync::CallEpoch epoch;
    const std::uint32_t id = map_.id();
    runtime.forget_fd(fd_.get());
    fd_ = UniqueFd();
    runtime.settle(object::Kind::kMap, id);
  }

  void fill(std::uint64_t entries) {
    if constexpr (kType == abi::MapType::kLpmTrie)
      for (const Key& prefix : prefixes<kBytes>(entries)) update(prefix, 1);
    else if constexpr (kType == abi::MapType::kLruHash || kType == abi::MapType::kBloomFilter)
      for (std::uint64_t n = 0; n < entries; ++n) update(key(n), n);
  }
  bool find(const Key& key, std::uint64_t& value) {
    if constexpr (kType == abi::MapType::kBloomFilter) {
      value = key;
      return map_.peek_elem(bytes(value)).has_value();
    }
    const std::byte* found = map_.lookup_elem(bytes(key), kCpu);
    if (found == nullptr) return false;
    std::memcpy(&value, found, sizeof value);
    return true;
  }
  void update(const Key& key, std::uint64_t value) {
    if constexpr (kType == abi::MapType::kBloomFilter)
      (void)map_.push_elem(bytes(key), 0);
    else
      (void)map_.update_elem(bytes(key), bytes(value), 0, kCpu);
  }
  void erase(const Key& key) { (void)map_.delete_elem(bytes(key)); }
  void add(std::uint64_t index) {
    std::byte* found = map_.lookup_elem(bytes(index), kCpu);
    if (found != nullptr) benchmark::DoNotOptimize(++*reinterpret_cast<std::uint64_t*>(found));
  }
  void push_pop(std::uint64_t value) {
    (void)map_.push_elem(bytes(value), 0);
    (void)map_.pop_elem(bytes(value));
    benchmark::DoNotOptimize(value);
  }
  void submit(std::uint64_t value) {
    thread_local const sync::Actor actor = *ProgramRuntime::get().actor();
    const auto record = ring_->ring().reserve(actor, sizeof value);
    if (!record) return;
    std::memcpy(record->bytes, &value, sizeof value);
    ring_->commit(*record, false, abi::ring_flag::kNoWakeup);
  }
  void consume_all() {
    auto* position = reinterpret_cast<sync::Atomic<std::uint64_t>*>(map_.user_pages().base());
    position->store_release(ring_->ring().producer_position());  // pairs with the producers' look for room
  }

 private:
  static constexpr std::uint32_t kCpu = 0;
  static constexpr std::uint32_t key_size() {
    if constexpr (kBytes != 0) return Key::kSize;
    if (kType == abi::MapType::kLruHash) return 8;
    return kType == abi::MapType::kPerCpuArray ? 4 : 0;
  }
  explicit ProgramTable(object::Runtime::Published published)
      : fd_(std::move(published.fd)),
        map_(*static_cast<map::Map*>(published.view)),
        ring_(map_.ring_buffer()) {}
  static const std::byte* bytes(const auto& object) { return reinterpret_cast<const std::byte*>(&object); }
  static std::byte* bytes(std::uint64_t& object) { return reinterpret_cast<std::byte*>(&object); }

  UniqueFd fd_;
  map::Map& map_;
  map::RingBufferMap* ring_;
};

}  // namespace portolan::bench
