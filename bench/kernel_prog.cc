// SPDX-License-Identifier: Apache-2.0
// Times the kernel's own programs on the kernel's maps (root only). Prints Google Benchmark's JSON, as the
// others do.
//
//   kernel_prog OBJECT [SIZE…]
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/workload.h"

namespace {

constexpr std::uint32_t kRounds = 1u << 20;

struct Globals {  // of .bss, in the order of the source
  std::uint64_t nanoseconds, sink;
};
struct Constants {  // of .rodata
  std::uint32_t entries, rounds, first_key;
};

struct Object {
  bpf_object* object = nullptr;
  ~Object() { bpf_object__close(object); }
};

void fill(int fd, std::uint32_t entries, bool is_hash) {
  for (std::uint32_t n = 0; n < entries; ++n) {
    const std::uint64_t key = is_hash ? portolan::bench::key(n) : n, value = n;
    bpf_map_update_elem(fd, &key, &value, BPF_ANY);
  }
}

// Nanoseconds of one run of `name`, per round; negative if it cannot be had.
double time_once(bpf_object* object, const char* name) {
  const int program = bpf_program__fd(bpf_object__find_program_by_name(object, name));
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (program < 0 || bpf_prog_test_run_opts(program, &options) != 0) return -1;
  const std::uint32_t zero = 0;
  Globals globals{};
  bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, ".bss"), &zero, &globals);
  return static_cast<double>(globals.nanoseconds) / kRounds;
}

// Median over some runs of what `name` takes more than `plain`.
double time_net(bpf_object* object, const char* name) {
  std::vector<double> nets;
  for (int run = 0; run < 5; ++run) {
    const double plain = time_once(object, "plain"), whole = time_once(object, name);
    if (plain < 0 || whole < 0) return -1;
    nets.push_back(std::max(whole - plain, 0.0));
  }
  std::ranges::nth_element(nets, nets.begin() + 2);
  return nets[2];
}

int load(Object& object, const char* path, std::uint32_t entries, std::uint32_t first_key) {
  object.object = bpf_object__open_file(path, nullptr);
  if (object.object == nullptr) return -1;
  bpf_map* rodata = bpf_object__find_map_by_name(object.object, ".rodata");
  const Constants constants{entries, kRounds, first_key};
  std::size_t size = 0;
  if (bpf_map__initial_value(rodata, &size) == nullptr || size < sizeof constants) return -1;
  if (bpf_map__set_initial_value(rodata, &constants, size) != 0) return -1;
  for (const char* map : {"hash", "array"})
    bpf_map__set_max_entries(bpf_object__find_map_by_name(object.object, map), entries);
  if (bpf_object__load(object.object) != 0) return -1;
  fill(bpf_object__find_map_fd_by_name(object.object, "hash"), entries, true);
  fill(bpf_object__find_map_fd_by_name(object.object, "array"), entries, false);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: kernel_prog OBJECT [SIZE...]\n");
    return 2;
  }
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
  struct Row {
    const char* operation;
    const char* program;
    bool missing;
  };
  constexpr Row kRows[] = {{"array_lookup", "array_lookup", false},
                           {"hash_lookup_hit", "hash_lookup", false},
                           {"hash_lookup_miss", "hash_lookup", true},
                           {"hash_update_existing", "hash_update", false},
                           {"hash_delete_insert", "hash_delete_insert", false}};
  std::string rows;
  for (int i = 2; i < argc; ++i) {
    const auto entries = static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10));
    Object hits, misses;
    if (load(hits, argv[1], entries, 0) != 0 || load(misses, argv[1], entries, entries) != 0) {
      fmt::print(stderr, "kernel_prog: cannot load {} (root only)\n", argv[1]);
      return 1;
    }
    for (const Row& row : kRows)
      rows += fmt::format(
          "{}{{\"name\": \"{}/kernel prog/{}\", \"run_type\": \"iteration\", \"real_time\": {}, "
          "\"time_unit\": \"ns\"}}",
          rows.empty() ? "" : ",\n", row.operation, entries,
          time_net(row.missing ? misses.object : hits.object, row.program));
  }
  fmt::print("{{\"benchmarks\": [\n{}\n]}}\n", rows);
}
