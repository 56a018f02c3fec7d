// SPDX-License-Identifier: Apache-2.0
// The LPM trie by itself, with the prefixes and addresses of lpm_workload.h.
//   build/release/bench/lpm_bench --benchmark_min_time=0.5
#include "bench/ds/region.h"
#include "bench/lpm_workload.h"
#include "ds/lpm_trie.h"

namespace portolan::bench {
namespace {

template <unsigned kDataBytes>
class Trie {
 public:
  static constexpr unsigned kBytes = kDataBytes;
  static std::unique_ptr<Trie> make(std::uint32_t entries) { return std::make_unique<Trie>(entries); }
  explicit Trie(std::uint32_t entries)
      : region_(make_region(*ds::LpmTrie::sizes({kBytes, 8, entries}))), trie_([&] {
          ds::LpmTrie::format(region_, 0, {kBytes, 8, entries});
          return *ds::LpmTrie::attach(region_, 0);
        }()) {}
  void fill(std::uint64_t entries) {
    for (const auto& prefix : prefixes<kBytes>(entries)) update(prefix, 1);
  }
  bool find(const Prefix<kBytes>& address, std::uint64_t& value) {
    const std::byte* const found = trie_.find(bytes(address));
    if (found == nullptr) return false;
    std::memcpy(&value, found, sizeof value);
    return true;
  }
  void update(const Prefix<kBytes>& prefix, std::uint64_t value) {
    if (!trie_.update(actor(0), bytes(prefix), &value, ds::Insert::kAny)) std::abort();
  }
  void erase(const Prefix<kBytes>& prefix) {
    if (!trie_.erase(actor(0), bytes(prefix))) std::abort();
  }
  std::uint64_t walk() {
    Prefix<kBytes> key, next;
    std::uint64_t seen = 0;
    for (const std::byte* from = nullptr; trie_.next(from, reinterpret_cast<std::byte*>(&next)); ++seen) {
      key = next;
      from = bytes(key);
    }
    return seen;
  }
  std::uint64_t memory() const { return trie_.reserved_bytes(); }

 private:
  static const std::byte* bytes(const auto& prefix) { return reinterpret_cast<const std::byte*>(&prefix); }
  shm::Region region_;
  ds::LpmTrie trie_;
};

template <class Table>
void lpm_walk(benchmark::State& state) {
  auto filled = Filled<Table>::get(static_cast<std::uint64_t>(state.range(0)));
  std::uint64_t seen = 0;
  for (auto _ : state) seen += filled->table().walk();
  state.SetItemsProcessed(static_cast<std::int64_t>(seen));
  state.counters["bytes/entry"] =
      static_cast<double>(filled->table().memory()) / static_cast<double>(state.range(0));
}

BENCHMARK(lpm_lookup<Trie<4>>)->Arg(1000)->Arg(100'000)->Arg(1'000'000)->Name("ipv4_lookup");
BENCHMARK(lpm_delete_update<Trie<4>>)->Arg(1000)->Arg(100'000)->Arg(1'000'000)->Name("ipv4_delete_update");
BENCHMARK(lpm_walk<Trie<4>>)->Arg(1000)->Arg(65'536)->Arg(100'000)->Arg(1'000'000)->Name("ipv4_walk");
BENCHMARK(lpm_lookup<Trie<16>>)->Arg(200'000)->Name("ipv6_lookup");
BENCHMARK(lpm_delete_update<Trie<16>>)->Arg(200'000)->Name("ipv6_delete_update");
BENCHMARK(lpm_walk<Trie<16>>)->Arg(200'000)->Name("ipv6_walk");

}  // namespace
}  // namespace portolan::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  portolan::bench::last_filled.reset();
}
