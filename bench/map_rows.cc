// SPDX-License-Identifier: Apache-2.0
// maps_libbpf and maps_cpp: one source of rows. WITH_LIBBPF builds the rows that go through libbpf (to the
// kernel, or under `portolan run` to Portolan); otherwise the rows of the C++ API and of the peers are built.
#include "bench/workload.h"

#ifdef WITH_LIBBPF
#include "bench/libbpf_tables.h"
#else
#include "bench/cpp_tables.h"
#include "bench/peer_tables.h"
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
void add_array_rows(const Sizes& sizes, const char* name, const char* who) {
  add(sizes, row(name, who), lookup_hit<Table>);
}

void add_all_rows(const Sizes& sizes) {
#ifdef WITH_LIBBPF
  add_array_rows<LibbpfTable<BPF_MAP_TYPE_ARRAY>>(sizes, "array_lookup", "libbpf");
  add_array_rows<LibbpfTable<BPF_MAP_TYPE_PERCPU_ARRAY, true>>(sizes, "percpu_array_lookup", "libbpf");
  add_hash_rows<LibbpfTable<BPF_MAP_TYPE_HASH>>(sizes, "libbpf");
#else
  add_array_rows<CppArray>(sizes, "array_lookup", "cpp");
  add_array_rows<PlainArray>(sizes, "array_lookup", "peer: plain array");
  add_hash_rows<CppHash>(sizes, "cpp");
  add_hash_rows<AbslSharded>(sizes, "peer: absl, 64 shards");
  add_hash_rows<TbbHash>(sizes, "peer: tbb");
  add_hash_rows<Cuckoo>(sizes, "peer: libcuckoo");
  add_hash_rows<RteHash>(sizes, "peer: rte_hash");
#endif
}

}  // namespace
}  // namespace portolan::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  portolan::bench::add_all_rows(portolan::bench::sizes());
  benchmark::RunSpecifiedBenchmarks();
}
