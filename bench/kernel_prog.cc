// SPDX-License-Identifier: Apache-2.0
// Times programs on maps: the kernel's (as root), or Portolan's (under `portolan run`). Prints Google
// Benchmark's JSON, as the others do.
//
//   kernel_prog WHO OBJECT FILTER [SIZE…]      WHO: names the figures; FILTER: a regular expression of rows
#include <fmt/core.h>

#include <cstdlib>
#include <regex>

#include "bench/kernel_object.h"
#include "bench/lpm_workload.h"

namespace portolan::bench {
namespace {

constexpr std::uint32_t kRounds = 1u << 20;
constexpr int kTries = 20;  // on a busy machine, the threads of a run do not always meet

struct Row {
  const char* operation;
  const char* program;
  enum { kHits, kMisses, kTwiceTheKeys } keys = kHits;
  unsigned threads = 1;
  const char* plain = "plain";
};
constexpr Row kSizedRows[] = {{"array_lookup", "array_lookup"},
                              {"percpu_array_add", "percpu_add"},
                              {"hash_lookup_hit", "hash_lookup"},
                              {"hash_lookup_miss", "hash_lookup", Row::kMisses},
                              {"hash_update_existing", "hash_update"},
                              {"hash_update_two_threads", "hash_update", Row::kHits, 2},
                              {"hash_delete_insert", "hash_delete_insert"},
                              {"lru_churn", "lru_churn", Row::kTwiceTheKeys},
                              {"lru_churn_two_threads", "lru_churn", Row::kTwiceTheKeys, 2},
                              {"bloom_peek", "bloom_peek"},
                              {"bloom_push", "bloom_push"}};
constexpr Row kLpmRow = {"lpm_lookup", "lpm_lookup", Row::kHits, 1, "plain_listed"};
constexpr Row kLpm6Row = {"lpm_lookup_ipv6", "lpm6_lookup", Row::kHits, 1, "plain_listed"};
constexpr Row kQueueRow = {"queue_push_pop", "queue_push_pop"};
constexpr Row kRingRows[] = {{"ringbuf_submit", "ring_submit"},
                             {"ringbuf_submit_two_threads", "ring_submit", Row::kHits, 2}};

class Report {
 public:
  Report(const char* who, const char* filter) : who_(who), filter_(filter) {}
  bool wants(const Row& row) const {
    return std::regex_search(std::string(row.operation) + "/" + who_, filter_);
  }
  void add(const KernelObject* object, const Row& row, std::uint32_t entries) {
    if (!wants(row) || object == nullptr) return;
    KernelRun what;
    what.rounds = kRounds;
    what.range = row.keys == Row::kTwiceTheKeys ? 2 * entries : entries;
    what.first_key = row.keys == Row::kMisses ? entries : 0;
    rows_ += fmt::format(
        "{}{{\"name\": \"{}/{}/{}\", \"run_type\": \"iteration\", \"real_time\": {}, "
        "\"time_unit\": \"ns\"}}",
        rows_.empty() ? "" : ",\n", row.operation, who_, entries, net(*object, row, what));
  }
  void print() const { fmt::print("{{\"benchmarks\": [\n{}\n]}}\n", rows_); }

 private:
  // Nanoseconds of one run for each operation of all threads, as Google Benchmark counts; negative: not to be
  // had.
  static double once(const KernelObject& object, const char* program, const Row& row, const KernelRun& what) {
    std::vector<KernelRun> runs;
    for (int tries = 0; runs.empty(); ++tries) {
      if (tries == kTries) return -1;
      object.empty_ring();
      runs = object.run(program, what, row.threads);
    }
    double sum = 0;
    for (const KernelRun& run : runs) sum += static_cast<double>(run.nanoseconds);
    return sum / row.threads / (static_cast<double>(kRounds) * row.threads);
  }
  // Median over some runs of what the program takes more than the plain one.
  static double net(const KernelObject& object, const Row& row, const KernelRun& what) {
    std::vector<double> nets;
    for (int i = 0; i < 5; ++i) {
      const double plain = once(object, row.plain, row, what), whole = once(object, row.program, row, what);
      if (plain < 0 || whole < 0) return -1;
      nets.push_back(std::max(whole - plain, 0.0));
    }
    std::ranges::nth_element(nets, nets.begin() + 2);
    return nets[2];
  }
  std::string who_;
  std::regex filter_;
  std::string rows_;
};

void fill_sized(const KernelObject& object, std::uint32_t entries) {
  for (std::uint32_t n = 0; n < entries; ++n) {
    const std::uint64_t k = key(n), value = n;
    bpf_map_update_elem(object.map("hash"), &k, &value, BPF_ANY);
    bpf_map_update_elem(object.map("lru"), &k, &value, BPF_ANY);
    bpf_map_update_elem(object.map("array"), &n, &value, BPF_ANY);
    bpf_map_update_elem(object.map("bloom"), nullptr, &k, BPF_ANY);
  }
}

template <unsigned kBytes>
void add_lpm(Report& report, const char* path, const char* map, const Row& row, std::uint32_t entries) {
  if (!report.wants(row)) return;
  const auto object = KernelObject::load(path, {{map, entries}});
  if (object == nullptr) return;
  const std::uint64_t value = 1;
  for (const auto& prefix : prefixes<kBytes>(entries))
    bpf_map_update_elem(object->map(map), &prefix, &value, BPF_ANY);
  object->set_list(addresses<kBytes>(entries));
  report.add(object.get(), row, entries);
}

int run(int argc, char** argv) {
  const char* path = argv[2];
  Report report(argv[1], argv[3]);
  const auto small = KernelObject::load(path, {});
  if (small == nullptr) {
    fmt::print(stderr, "kernel_prog: cannot load {}\n", path);
    return 1;
  }
  for (int i = 4; i < argc; ++i) {
    if (std::ranges::none_of(kSizedRows, [&](const Row& row) { return report.wants(row); })) break;
    const auto entries = static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10));
    KernelObject::Sizes sizes;
    for (const char* map : {"hash", "lru", "array", "percpu", "bloom"}) sizes[map] = entries;
    const auto object = KernelObject::load(path, sizes);
    if (object != nullptr) fill_sized(*object, entries);
    for (const Row& row : kSizedRows) report.add(object.get(), row, entries);
  }
  for (std::uint32_t entries : {1000u, 100'000u, 1'000'000u})
    add_lpm<4>(report, path, "lpm", kLpmRow, entries);
  add_lpm<16>(report, path, "lpm6", kLpm6Row, 200'000);
  report.add(small.get(), kQueueRow, 1024);
  for (const Row& row : kRingRows) report.add(small.get(), row, 1u << 26);
  report.print();
  return 0;
}

}  // namespace
}  // namespace portolan::bench

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: kernel_prog WHO OBJECT FILTER [SIZE...]\n");
    return 2;
  }
  return portolan::bench::run(argc, argv);
}
