// SPDX-License-Identifier: Apache-2.0
// The rows of the benchmark, written once over any table: what is measured is the table.
#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
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
// arrays the key is the index.

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

template <class Table>
class Filled {
 public:
  // One table of each size lives at a time, shared by the rows that only read or replace, and by their
  // threads.
  static std::shared_ptr<Filled> get(std::uint64_t entries) {
    static std::mutex mutex;
    static std::weak_ptr<Filled> kept;
    static std::uint64_t kept_entries = 0;
    std::lock_guard lock(mutex);
    if (auto same = kept.lock(); same != nullptr && kept_entries == entries) return same;
    auto fresh = std::shared_ptr<Filled>(new Filled(entries));
    kept = fresh;
    kept_entries = entries;
    return fresh;
  }
  explicit operator bool() const { return table_ != nullptr; }
  Table& table() { return *table_; }

 private:
  explicit Filled(std::uint64_t entries) : table_(Table::make(static_cast<std::uint32_t>(entries))) {
    if (table_ == nullptr) return;
    for (std::uint64_t n = 0; n < entries; ++n) table_->insert(Table::kIsArray ? n : key(n), n);
  }
  std::unique_ptr<Table> table_;
};

// Runs `step(table, key, n)` over random keys that are there.
template <class Table, class Step>
void over_random_keys(benchmark::State& state, std::uint64_t beyond, Step step) {
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  auto filled = Filled<Table>::get(entries);
  if (!*filled) return state.SkipWithError("cannot be had on this machine, or not by this user");
  const auto order = random_order(entries, 7 + static_cast<unsigned>(state.thread_index()));
  std::vector<std::uint64_t> keys(order.size());
  std::ranges::transform(order, keys.begin(),
                         [&](std::uint64_t n) { return Table::kIsArray ? n : key(n + beyond * entries); });
  std::size_t i = 0;
  for (auto _ : state) {
    step(filled->table(), keys[i]);
    if (++i == keys.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
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
