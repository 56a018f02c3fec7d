// SPDX-License-Identifier: Apache-2.0
// Times hooks of a C++ host: nothing attached, one empty program, that in a burst, and for many packets at
// once. Prints Google Benchmark's JSON; figures are nanoseconds of one thread for each run.
//
//   hooks WHO FILTER
#include <fmt/core.h>
#include <linux/bpf.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <portolan/portolan.hpp>
#include <regex>
#include <string>
#include <vector>

namespace {

double nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Run>
double time_of_one(int runs, Run&& run) {
  std::vector<double> figures;
  for (int round = 0; round < 5; ++round) {
    const double begin = nanoseconds();
    for (int i = 0; i < runs; ++i) run(i);
    figures.push_back((nanoseconds() - begin) / runs);
  }
  std::ranges::sort(figures);
  return figures[2];
}

// return value; exit
int load(const portolan::Runtime& runtime, bpf_prog_type type, int value) {
  const bpf_insn insns[] = {{0xb7, 0, 0, 0, value}, {0x95, 0, 0, 0, 0}};
  bpf_attr attr{};
  attr.prog_type = type;
  attr.insns = reinterpret_cast<std::uintptr_t>(insns);
  attr.insn_cnt = 2;
  attr.license = reinterpret_cast<std::uintptr_t>("GPL");
  return static_cast<int>(runtime.bpf(BPF_PROG_LOAD, &attr, sizeof attr));
}

int attach_to_tracepoint(const portolan::Runtime& runtime, const char* name) {
  bpf_attr attr{};
  attr.raw_tracepoint.name = reinterpret_cast<std::uintptr_t>(name);
  attr.raw_tracepoint.prog_fd = static_cast<__u32>(load(runtime, BPF_PROG_TYPE_RAW_TRACEPOINT, 0));
  return static_cast<int>(runtime.bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof attr));
}

int attach_to_device(const portolan::Runtime& runtime, unsigned ifindex) {
  bpf_attr attr{};
  attr.link_create.prog_fd = static_cast<__u32>(load(runtime, BPF_PROG_TYPE_XDP, XDP_PASS));
  attr.link_create.target_ifindex = ifindex;
  attr.link_create.attach_type = BPF_XDP;
  return static_cast<int>(runtime.bpf(BPF_LINK_CREATE, &attr, sizeof attr));
}

int run(const char* who, const std::regex& filter) {
  constexpr unsigned kDevice = 7;
  constexpr std::size_t kPackets = 64;
  auto runtime = portolan::Runtime::create_private();
  if (!runtime) return 1;
  auto idle = portolan::Hook::raw_tracepoint(*runtime, "idle");
  auto busy = portolan::Hook::raw_tracepoint(*runtime, "busy");
  auto xdp = portolan::Hook::xdp(*runtime, kDevice);
  if (!idle || !busy || !xdp || attach_to_tracepoint(*runtime, "busy") < 0 ||
      attach_to_device(*runtime, kDevice) < 0) {
    fmt::print(stderr, "hooks: cannot attach\n");
    return 1;
  }
  std::string rows;
  const auto add = [&](const char* row, double figure) {
    rows += fmt::format(
        "{}{{\"name\": \"{}/{}/1\", \"run_type\": \"iteration\", \"real_time\": {}, \"time_unit\": \"ns\"}}",
        rows.empty() ? "" : ",\n", row, who, figure);
  };
  const auto wants = [&](const char* row) { return std::regex_search(row, filter); };
  if (wants("hook_idle")) add("hook_idle", time_of_one(10'000'000, [&](int i) { idle->run(i); }));
  if (wants("hook_run")) add("hook_run", time_of_one(1'000'000, [&](int i) { busy->run(i); }));
  if (wants("hook_burst")) {
    const auto burst = portolan::Burst::begin(*runtime);
    add("hook_burst", time_of_one(1'000'000, [&](int i) { busy->run(i); }));
  }
  if (wants("hook_batch")) {
    std::vector<std::byte> room(kPackets * 2048);
    std::vector<portolan::Packet> packets(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i)
      packets[i] = {.room = std::span(room).subspan(i * 2048, 2048), .offset = 256, .size = 64};
    std::vector<int> verdicts(kPackets);
    add("hook_batch", time_of_one(20'000, [&](int) { xdp->run(packets, verdicts); }) / kPackets);
  }
  fmt::print("{{\"benchmarks\": [\n{}\n]}}\n", rows);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: hooks WHO FILTER\n");
    return 2;
  }
  return run(argv[1], std::regex(argv[2]));
}
