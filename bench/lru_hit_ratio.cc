// SPDX-License-Identifier: Apache-2.0
// How often a cache of 10,000 keys has what is asked for: the kernel's LRU_HASH (root only), ours, and one
// that gives up exactly what was used least recently. Each looks a key up, as a program does, and puts it in
// if it is not there.
//
//   lru_hit_ratio OBJECT      OBJECT: kernel_prog.bpf.o
#include <fmt/core.h>

#include <cmath>
#include <functional>

#include "bench/kernel_object.h"
#include "bench/program_tables.h"
#include "bench/slab_lru.h"

namespace portolan::bench {
namespace {

constexpr std::uint32_t kCapacity = 10'000;
constexpr std::uint64_t kUniverse = 10 * kCapacity;  // keys of the Zipf traces
using Trace = std::vector<std::uint64_t>;

// Keys whose n-th is asked for 1 / n^exponent as often as the first.
class Zipf {
 public:
  explicit Zipf(double exponent) : sums_(kUniverse) {
    double sum = 0;
    for (std::size_t n = 0; n < sums_.size(); ++n)
      sums_[n] = sum += std::pow(static_cast<double>(n + 1), -exponent);
  }
  std::uint64_t operator()() {
    const double at = std::uniform_real_distribution<>(0, sums_.back())(random_);
    return static_cast<std::uint64_t>(std::ranges::upper_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
  std::mt19937_64 random_{17};
};

Trace trace_of(const std::function<std::uint64_t(std::uint64_t at)>& next) {
  Trace trace(KernelObject::kListed);
  for (std::uint64_t i = 0; i < trace.size(); ++i) trace[i] = key(next(i));
  return trace;
}

Trace zipf(double exponent) {
  return trace_of([draw = Zipf(exponent)](std::uint64_t) mutable { return draw(); });
}

// After each 50,000 lookups, 10,000 of keys that never come again.
Trace zipf_with_scans() {
  return trace_of([draw = Zipf(1.0)](std::uint64_t at) mutable {
    return at % 60'000 < 50'000 ? draw() : kUniverse + at;
  });
}

Trace loop(double capacities) {
  const auto length = static_cast<std::uint64_t>(capacities * kCapacity);
  return trace_of([length](std::uint64_t at) { return at % length; });
}

// In per cent; nothing where it cannot be had.
std::string percent(std::uint64_t hits) {
  return fmt::format("{:.2f}", 100 * static_cast<double>(hits) / KernelObject::kListed);
}

std::string of_kernel(const char* path, const Trace& trace) {
  const auto object = KernelObject::load(path, {{"lru", kCapacity}});
  if (object == nullptr) return "-";
  object->set_list(trace);
  KernelRun what;
  what.rounds = KernelObject::kListed;
  const auto runs = object->run("lru_trace", what);
  return runs.empty() ? "-" : percent(runs[0].sum);
}

template <class Table>
std::string of(const Trace& trace) {
  const auto table = Table::make(kCapacity);
  if (table == nullptr) return "-";
  std::uint64_t hits = 0;
  for (std::uint64_t k : trace) {
    std::uint64_t value = 0;
    if (table->find(k, value))
      ++hits;
    else
      table->update(k, k);
  }
  return percent(hits);
}

}  // namespace
}  // namespace portolan::bench

int main(int argc, char** argv) {
  using namespace portolan::bench;
  if (argc != 2) {
    fmt::print(stderr, "usage: lru_hit_ratio OBJECT\n");
    return 2;
  }
  const std::pair<const char*, Trace> traces[] = {{"Zipf(0.8)", zipf(0.8)},
                                                  {"Zipf(1.0)", zipf(1.0)},
                                                  {"Zipf(1.2)", zipf(1.2)},
                                                  {"Zipf(1.0) and scans", zipf_with_scans()},
                                                  {"loop of 1.1 x capacity", loop(1.1)},
                                                  {"loop of 1.5 x capacity", loop(1.5)},
                                                  {"loop of 2 x capacity", loop(2)}};
  fmt::print("hits in per cent, capacity {}, {} lookups\n{:<26}{:>10}{:>10}{:>12}\n", kCapacity,
             KernelObject::kListed, "", "kernel", "portolan", "exact LRU");
  for (const auto& [name, trace] : traces)
    fmt::print("{:<26}{:>10}{:>10}{:>12}\n", name, of_kernel(argv[1], trace),
               of<ProgramTable<portolan::abi::MapType::kLruHash>>(trace), of<SlabLru>(trace));
}
