// SPDX-License-Identifier: Apache-2.0
// The hash table by itself: 8-byte keys and values, random keys, a full table in /dev/shm.
//   build/release/bench/ds_bench --benchmark_min_time=0.5
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "bench/ds/region.h"
#include "bench/workload.h"
#include "ds/hash_table.h"

namespace {

using portolan::bench::actor;
using portolan::bench::key;
using portolan::bench::random_order;
namespace ds = portolan::ds;

// DS_BENCH_COLLAPSE=1 shows what huge pages bring.
const bool kCollapse = std::getenv("DS_BENCH_COLLAPSE") != nullptr;

// Takes away so much address space that the next mapping of `size` bytes begins at a huge page.
void align_next_mapping(std::uint64_t size) {
  constexpr std::uint64_t kHuge = 2 << 20;
  void* const probe = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(probe, size);
  if (const auto pad = reinterpret_cast<std::uintptr_t>(probe) % kHuge; pad != 0)
    ::mmap(nullptr, pad, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

class Table {
 public:
  explicit Table(std::uint32_t entries, std::uint32_t value_size = 8) {
    const ds::HashTableShape shape{8, value_size, entries, true, 0x5eed};
    const auto sizes = *ds::HashTable::sizes(shape);
    if (kCollapse) align_next_mapping(sizes.total);
    region_ = portolan::bench::make_region(sizes);
    ds::HashTable::format(region_, 0, shape);
    table_ = std::make_unique<ds::HashTable>(*ds::HashTable::attach(region_, 0));
    std::vector<std::uint64_t> value(value_size / 8);
    for (std::uint64_t n = 0; n < entries; ++n) {
      const std::uint64_t k = key(n);
      value[0] = n;
      if (!table_->update(actor(0), &k, value.data(), ds::Insert::kAny)) std::abort();
    }
    // What huge pages would bring: DS_BENCH_COLLAPSE=1.
    if (std::getenv("DS_BENCH_COLLAPSE") != nullptr)
      ::madvise(region_.base(), region_.size(), 25 /* MADV_COLLAPSE */);
  }
  ds::HashTable& operator*() { return *table_; }
  ds::HashTable* operator->() { return table_.get(); }

  static Table& of(std::uint32_t entries) {
    static std::mutex mutex;
    static std::unique_ptr<Table> kept;
    static std::uint32_t kept_entries;
    std::lock_guard lock(mutex);
    if (kept == nullptr || kept_entries != entries) {
      kept.reset();
      kept = std::make_unique<Table>(entries);
      kept_entries = entries;
    }
    return *kept;
  }

 private:
  portolan::shm::Region region_;
  std::unique_ptr<ds::HashTable> table_;
};

// `step(table, key, actor)` over random keys; keys from `beyond` on are not in the table.
template <class Step>
void over(benchmark::State& state, std::uint64_t beyond, Step step) {
  const auto entries = static_cast<std::uint32_t>(state.range(0));
  Table& table = Table::of(entries);
  const auto order = random_order(entries, static_cast<unsigned>(7 + state.thread_index()));
  std::vector<std::uint64_t> keys(order.size());
  // Threads share the table; keys of their own keep delete + insert from failing.
  const auto threads = static_cast<std::uint64_t>(state.threads()),
             me = static_cast<std::uint64_t>(state.thread_index());
  std::ranges::transform(order, keys.begin(), [&](std::uint64_t n) {
    return key((threads > 1 ? n / threads * threads + me : n) % entries + beyond * entries);
  });
  const auto me_as_writer = actor(state.thread_index());
  std::size_t at = 0;
  for (auto _ : state) {
    step(*table, keys[at], me_as_writer);
    if (++at == keys.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

void lookup_hit(benchmark::State& state) {
  over(state, 0, [](ds::HashTable& table, std::uint64_t k, const auto&) {
    std::uint64_t value = 0;
    if (!table.lookup(&k, &value)) std::abort();
    benchmark::DoNotOptimize(value);
  });
}
void lookup_miss(benchmark::State& state) {
  over(state, 1, [](ds::HashTable& table, std::uint64_t k, const auto&) {
    std::uint64_t value = 0;
    if (table.lookup(&k, &value)) std::abort();
    benchmark::DoNotOptimize(value);
  });
}
void update_existing(benchmark::State& state) {
  over(state, 0, [](ds::HashTable& table, std::uint64_t k, const auto& actor) {
    if (!table.update(actor, &k, &k, ds::Insert::kAny)) std::abort();
  });
}
void update_in_place(benchmark::State& state) {
  over(state, 0, [](ds::HashTable& table, std::uint64_t k, const auto& actor) {
    if (!table.update_in_place(actor, &k, ds::Insert::kAny,
                               [&](std::byte* at, bool) { std::memcpy(at, &k, 8); }))
      std::abort();
  });
}
void delete_insert(benchmark::State& state) {
  over(state, 0, [](ds::HashTable& table, std::uint64_t k, const auto& actor) {
    if (!table.erase(actor, &k) || !table.update(actor, &k, &k, ds::Insert::kAny)) std::abort();
  });
}
void iterate(benchmark::State& state) {
  Table& table = Table::of(static_cast<std::uint32_t>(state.range(0)));
  std::int64_t seen = 0;
  for (auto _ : state) {
    std::uint64_t k = 0, value = 0;
    for (std::uint32_t cursor = ds::HashTable::kBegin; table->next(cursor, &k, &value); ++seen)
      benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(seen);
  state.counters["ns/elem"] = benchmark::Counter(static_cast<double>(seen) * 1e-9,
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void sizes(benchmark::internal::Benchmark* row) {
  for (const std::int64_t entries : {1 << 10, 1 << 16, 1 << 20, 10 << 20}) row->Arg(entries);
}
void sizes_and_threads(benchmark::internal::Benchmark* row) { sizes(row->Threads(1)->Threads(2)); }

}  // namespace

BENCHMARK(lookup_hit)->Apply(sizes_and_threads)->UseRealTime();
BENCHMARK(lookup_miss)->Apply(sizes_and_threads)->UseRealTime();
BENCHMARK(update_existing)->Apply(sizes_and_threads)->UseRealTime();
BENCHMARK(update_in_place)->Apply(sizes_and_threads)->UseRealTime();
BENCHMARK(delete_insert)->Apply(sizes_and_threads)->UseRealTime();
BENCHMARK(iterate)->Apply(sizes);
BENCHMARK_MAIN();
