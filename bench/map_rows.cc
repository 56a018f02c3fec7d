// SPDX-License-Identifier: Apache-2.0
// maps_libbpf and maps_cpp: one source of rows. WITH_LIBBPF builds the rows that go through libbpf (to the
// kernel, or under `portolan run` to Portolan); otherwise the rows of the C++ API and of the peers are built.
#include "bench/workload.h"

#ifdef WITH_LIBBPF
#include "bench/libbpf_tables.h"
#else
#include "bench/cpp_tables.h"
#include "bench/peer_tables.h"
#include "bench/peer_types.h"
#include "bench/program_tables.h"
#include "bench/slab_lru.h"
#endif

#include <cstdlib>
#include <sstream>

namespace portolan::bench {
namespace {

// PORTOLAN_BENCH_SIZES, a list of numbers of entries; by default 1 Ki, 64 Ki and 1 Mi.
Sizes sizes() {
  const char* text = std::getenv("PORTOLAN_BENCH_SIZES");
  std::istringstream in(text == nullptr ? "1024 65536 1048576" : text);
  Sizes sizes;
  for (std::int64_t entries; in >> entries;) sizes.entries.push_back(entries);
  return sizes;
}

template <class Table>
void add_hash_rows(const Sizes& sizes, const char* who) {
  add(sizes, row("hash_lookup_hit", who), lookup_hit<Table>);
  add(sizes, row("hash_lookup_miss", who), lookup_miss<Table>);
  add(sizes, row("hash_update_existing", who), update_existing<Table>);
  add(sizes, row("hash_delete_insert", who), delete_insert<Table>);
  add(sizes, row("hash_update_two_threads", who), update_existing<Table>, 2);
  if constexpr (requires(Table& table) { table.walk(); })
    add(sizes, row("hash_iterate", who), iterate<Table>);
  if constexpr (requires(Table& table) { table.batches(std::uint64_t{1}); })
    add(sizes, row("hash_batch", who), batch<Table>);
}

template <class Table>
void add_lru_rows(const Sizes& sizes, const char* who) {
  add(sizes, row("lru_churn", who), churn<Table>);
  add(sizes, row("lru_churn_two_threads", who), churn<Table>, 2);
}

template <class Table>
void add_lpm_rows(const char* who) {
  add({{1000, 100'000, 1'000'000}}, row("lpm_lookup", who), lpm_lookup<Table>);
  if constexpr (requires(Table& table, Prefix<4> prefix) { table.erase(prefix); })
    add({{1'000'000}}, row("lpm_delete_update", who), lpm_delete_update<Table>);
}

template <class Table>
void add_lpm6_row(const char* who) {
  add({{200'000}}, row("lpm_lookup_ipv6", who), lpm_lookup<Table>);
}

template <class Table>
void add_bloom_rows(const Sizes& sizes, const char* who) {
  add(sizes, row("bloom_peek", who), lookup_hit<Table>);
  add(sizes, row("bloom_push", who), update_existing<Table>);
}

template <class Table>
void add_queue_row(const char* who) {
  add({{1024}}, row("queue_push_pop", who), push_pop<Table>);
}

template <class Table>
[[maybe_unused]] void add_ring_rows(const char* who) {
  const Sizes bytes{{1 << 26}};
  add(bytes, row("ringbuf_submit", who), submit<Table>);
  add(bytes, row("ringbuf_submit_two_threads", who), submit<Table>, 2);
}

template <class Table>
[[maybe_unused]] void add_memory_row(const char* name) {
  add({{65536}}, row(name, "libbpf"), memory<Table>);
}

void add_all_rows(const Sizes& sizes) {
#ifdef WITH_LIBBPF
  using PerCpuArray = LibbpfTable<BPF_MAP_TYPE_PERCPU_ARRAY, true>;
  using Hash = LibbpfTable<BPF_MAP_TYPE_HASH>;
  using LruHash = LibbpfTable<BPF_MAP_TYPE_LRU_HASH>;
  add(sizes, row("array_lookup", "libbpf"), lookup_hit<LibbpfTable<BPF_MAP_TYPE_ARRAY>>);
  add(sizes, row("percpu_array_add", "libbpf"), add_to_value<PerCpuArray>);
  add_hash_rows<Hash>(sizes, "libbpf");
  add_lru_rows<LruHash>(sizes, "libbpf");
  add_lpm_rows<LibbpfLpm<4>>("libbpf");
  add_lpm6_row<LibbpfLpm<16>>("libbpf");
  add_bloom_rows<LibbpfBloom>(sizes, "libbpf");
  add_queue_row<LibbpfQueue>("libbpf");
  add_memory_row<Hash>("hash_bytes");
  add_memory_row<LruHash>("lru_hash_bytes");
  add_memory_row<LibbpfLpm<4>>("lpm_trie_bytes");
#else
  using enum abi::MapType;
  add(sizes, row("array_lookup", "cpp"), lookup_hit<CppArray>);
  add(sizes, row("array_lookup", "peer: plain array"), lookup_hit<PlainArray>);
  add(sizes, row("percpu_array_add", "cpp"), add_to_value<ProgramTable<kPerCpuArray>>);
  add_hash_rows<CppHash>(sizes, "cpp");
  add_hash_rows<AbslSharded>(sizes, "peer: absl, 64 shards");
  add_hash_rows<TbbHash>(sizes, "peer: tbb");
  add_hash_rows<Cuckoo>(sizes, "peer: libcuckoo");
  add_hash_rows<RteHash>(sizes, "peer: rte_hash");
  add_lru_rows<ProgramTable<kLruHash>>(sizes, "cpp");
  add_lru_rows<SlabLru>(sizes, "peer: slab + mutex");
  add_lpm_rows<ProgramTable<kLpmTrie, Prefix<4>>>("cpp");
  add_lpm_rows<RteLpm>("peer: rte_lpm");
  add_lpm_rows<RteFib>("peer: rte_fib");
  add_lpm6_row<ProgramTable<kLpmTrie, Prefix<16>>>("cpp");
  add_bloom_rows<ProgramTable<kBloomFilter>>(sizes, "cpp");
  add_bloom_rows<RteBloom>(sizes, "peer: rte_member");
  add_queue_row<ProgramTable<kQueue>>("cpp");
  add_queue_row<RteRing>("peer: rte_ring");
  add_ring_rows<ProgramTable<kRingbuf>>("cpp");
  add_ring_rows<SpinRing>("peer: spinlock ring");
#endif
}

}  // namespace
}  // namespace portolan::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  portolan::bench::add_all_rows(portolan::bench::sizes());
  benchmark::RunSpecifiedBenchmarks();
  portolan::bench::last_filled.reset();
}
