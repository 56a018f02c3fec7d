// SPDX-License-Identifier: Apache-2.0
// The rows of the benchmark, written once over any table: what is measured is the table.
#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace portolan::bench {

// A table has: make(entries) (nullptr: cannot be had here), insert(k, v), update(k, v), find(k, v) -> bool,
// erase(k); a walk has walk() -> elements seen. All of them thread-safe. Keys and values are 8 bytes, for
// arrays the key is the index. Where a full one is something else, the table says so: fill(entries).

// Keys that are there, each once, in random order; key(n) for n >= entries are keys that are not.
inline std::uint64_t key(std::uint64_t n) {
  n = (n ^ (n >> 31)) * 0x7fb5d329728ea185;
  n = (n ^ (n >> 27)) * 0x81dadef4bc2dd44d;
  return n ^ (n >> 33);
}

// A random order of 0 … entries-1, cut to what is enough to defeat every cache.
inline std::vector<std::uint32_t> random_order(std::uint64_t entries, unsigned seed) {
  std::vector<std::uint32_t> order(entries);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
  order.resize(std::min<std::size_t>(order.size(), std::size_t{1} << 21));
  return order;
}

// The table that the last row used: the next row's, if it wants the same. Empty it before main() ends.
inline std::shared_ptr<void> last_filled;

template <class Table>
class Filled {
 public:
  // Shared by the rows that follow each other, and by their threads.
  static std::shared_ptr<Filled> get(std::uint64_t entries) {
    static std::mutex mutex;
    static std::weak_ptr<Filled> kept;
    static std::uint64_t kept_entries = 0;
    std::lock_guard lock(mutex);
    if (auto same = kept.lock(); same != nullptr && kept_entries == entries) return same;
    last_filled.reset();
    auto fresh = std::shared_ptr<Filled>(new Filled(entries));
    kept = fresh;
    kept_entries = entries;
    last_filled = fresh;
    return fresh;
  }
  explicit operator bool() const { return table_ != nullptr; }
  Table& table() { return *table_; }

 private:
  explicit Filled(std::uint64_t entries) : table_(Table::make(static_cast<std::uint32_t>(entries))) {
    if (table_ == nullptr) return;
    if constexpr (requires(Table& table) { table.fill(entries); })
      table_->fill(entries);
    else
      for (std::uint64_t n = 0; n < entries; ++n) table_->insert(Table::kIsArray ? n : key(n), n);
  }
  std::unique_ptr<Table> table_;
};

// What a thread holds while it uses a table: Table::Run, if there is one.
struct NoRun {};
template <class Table>
struct RunOf {
  using Type = NoRun;
};
template <class Table>
  requires requires { typename Table::Run; }
struct RunOf<Table> {
  using Type = typename Table::Run;
};

// Runs `step(table, key)` over the keys, again and again.
template <class Table, class Key, class Step>
void over(benchmark::State& state, const std::vector<Key>& keys, Step step) {
  auto filled = Filled<Table>::get(static_cast<std::uint64_t>(state.range(0)));
  if (!*filled) return state.SkipWithError("cannot be had on this machine, or not by this user");
  [[maybe_unused]] const typename RunOf<Table>::Type run;
  std::size_t i = 0;
  for (auto _ : state) {
    step(filled->table(), keys[i]);
    if (++i == keys.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

inline unsigned seed_of(const benchmark::State& state) {
  return 7 + static_cast<unsigned>(state.thread_index());
}

// Runs `step(table, key)` over random keys that are there, or, `beyond` = 1, are not.
template <class Table, class Step>
void over_random_keys(benchmark::State& state, std::uint64_t beyond, Step step) {
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  const auto order = random_order(entries, seed_of(state));
  std::vector<std::uint64_t> keys(order.size());
  std::ranges::transform(order, keys.begin(),
                         [&](std::uint64_t n) { return Table::kIsArray ? n : key(n + beyond * entries); });
  over<Table>(state, keys, step);
}

template <class Table>
void lookup_hit(benchmark::State& state) {
  std::uint64_t found = 0;
  over_random_keys<Table>(state, 0, [&](Table& table, std::uint64_t k) {
    std::uint64_t value = 0;
    found += table.find(k, value);
    benchmark::DoNotOptimize(value);
  });
  if (found != static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("a key that is there was not found");
}

template <class Table>
void lookup_miss(benchmark::State& state) {
  std::uint64_t found = 0;
  over_random_keys<Table>(state, 1, [&](Table& table, std::uint64_t k) {
    std::uint64_t value = 0;
    found += table.find(k, value);
    benchmark::DoNotOptimize(value);
  });
  if (found != 0) state.SkipWithError("a key that is not there was found");
}

template <class Table>
void update_existing(benchmark::State& state) {
  over_random_keys<Table>(
      state, 0, [n = std::uint64_t{0}](Table& table, std::uint64_t k) mutable { table.update(k, ++n); });
}

template <class Table>
void delete_insert(benchmark::State& state) {
  over_random_keys<Table>(state, 0, [n = std::uint64_t{0}](Table& table, std::uint64_t k) mutable {
    table.erase(k);
    table.insert(k, ++n);
  });
}

// What a cache does: of twice as many keys as there is room for, one is looked up, and put in if it is not
// there.
template <class Table>
void churn(benchmark::State& state) {
  static std::atomic<unsigned> calls;  // what the last call asked for is in there now
  std::mt19937_64 random(calls.fetch_add(1, std::memory_order_relaxed));
  std::vector<std::uint64_t> keys(std::size_t{1} << 22);
  for (auto& k : keys) k = key(random() % (2 * static_cast<std::uint64_t>(state.range(0))));
  over<Table>(state, keys, [](Table& table, std::uint64_t k) {
    std::uint64_t value = 0;
    if (!table.find(k, value)) table.update(k, k);
    benchmark::DoNotOptimize(value);
  });
}

template <class Table>
void add_to_value(benchmark::State& state) {
  over_random_keys<Table>(state, 0, [](Table& table, std::uint64_t k) { table.add(k); });
}

template <class Table>
void push_pop(benchmark::State& state) {
  over<Table>(state, std::vector<std::uint64_t>{1},
              [](Table& table, std::uint64_t value) { table.push_pop(value); });
}

// Records of 8 bytes, to a consumer that now and then takes all that there is, and is never woken.
template <class Table>
void submit(benchmark::State& state) {
  over<Table>(state, std::vector<std::uint64_t>{1}, [n = 0u](Table& table, std::uint64_t value) mutable {
    table.submit(value);
    if (++n % 65536 == 0) table.consume_all();
  });
}

// Bytes that a full table takes.
template <class Table>
void memory(benchmark::State& state) {
  auto filled = Filled<Table>::get(static_cast<std::uint64_t>(state.range(0)));
  if (!*filled) return state.SkipWithError("cannot be had on this machine, or not by this user");
  for (auto _ : state) benchmark::ClobberMemory();
  state.counters["bytes"] = static_cast<double>(filled->table().memory());
}

// Time per element of a whole walk.
template <class Table>
void iterate(benchmark::State& state) {
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  auto filled = Filled<Table>::get(entries);
  if (!*filled) return state.SkipWithError("cannot be had on this machine, or not by this user");
  std::uint64_t seen = 0;
  for (auto _ : state) seen += filled->table().walk();
  if (seen != entries * static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("the walk did not see each element once");
  state.SetItemsProcessed(static_cast<std::int64_t>(seen));
}

// Time per element of looking keys up by batches, or of a batched walk where that is what a batch is.
template <class Table>
void batch(benchmark::State& state) {
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  auto filled = Filled<Table>::get(entries);
  if (!*filled) return state.SkipWithError("cannot be had on this machine, or not by this user");
  std::uint64_t seen = 0;
  for (auto _ : state) seen += filled->table().batches(entries);
  if (seen != entries * static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("the batches did not see each element once");
  state.SetItemsProcessed(static_cast<std::int64_t>(seen));
}

inline std::string row(const char* operation, const char* who) { return std::string(operation) + "/" + who; }

struct Sizes {
  std::vector<std::int64_t> entries;
};

template <class Function>
void add(const Sizes& sizes, const std::string& name, Function function, int threads = 1) {
  auto* registered = benchmark::RegisterBenchmark(name.c_str(), function);
  for (std::int64_t entries : sizes.entries) registered->Arg(entries);
  if (threads > 1) registered->Threads(threads)->UseRealTime();
}

}  // namespace portolan::bench
