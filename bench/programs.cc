// SPDX-License-Identifier: Apache-2.0
// Times programs of the kernel (as root), or of Portolan (under `portolan run`). Prints Google Benchmark's
// JSON.
//
//   programs WHO OBJECT FILTER [OBJECT-TO-LOAD…]
//
// WHO names the figures. Rows of run_* are nanoseconds a run, those of load_* nanoseconds for PROG_LOAD of
// all programs of an object; FILTER is a regular expression of rows.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <regex>
#include <string>
#include <vector>

namespace {

struct Close {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, Close>;

double nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

Object open(const char* path) { return Object(bpf_object__open_file(path, nullptr)); }

// A SYN to port 80, of 64 bytes.
std::vector<std::byte> packet() {
  std::vector<std::byte> bytes(64);
  ethhdr ethernet{};
  ethernet.h_proto = __builtin_bswap16(ETH_P_IP);
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = 64;
  ip.protocol = 6;
  std::uint16_t halves[10];
  std::memcpy(halves, &ip, sizeof halves);
  std::uint32_t sum = 0;
  for (const std::uint16_t half : halves) sum += half;
  sum = (sum & 0xffff) + (sum >> 16);
  ip.check = static_cast<std::uint16_t>(~(sum + (sum >> 16)));
  tcphdr tcp{};
  tcp.dest = __builtin_bswap16(80);
  tcp.syn = 1;
  std::memcpy(bytes.data(), &ethernet, sizeof ethernet);
  std::memcpy(bytes.data() + sizeof ethernet, &ip, sizeof ip);
  std::memcpy(bytes.data() + sizeof ethernet + sizeof ip, &tcp, sizeof tcp);
  return bytes;
}

// Of one run, by so many in one call; negative: it does not run.
double run_time(int fd, std::uint32_t runs) {
  auto bytes = packet();
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes.data(),
              .data_size_in = static_cast<std::uint32_t>(bytes.size()), .repeat = static_cast<int>(runs));
  const double begin = nanoseconds();
  if (bpf_prog_test_run_opts(fd, &options) != 0) return -1;
  return (nanoseconds() - begin) / runs;
}

double load_time(const char* path) {
  const Object object = open(path);
  if (object == nullptr) return -1;
  const double begin = nanoseconds();
  return bpf_object__load(object.get()) == 0 ? nanoseconds() - begin : -1;
}

template <class Measure>
double median_of_five(Measure&& measure) {
  std::vector<double> figures;
  for (int i = 0; i < 5; ++i) figures.push_back(measure());
  std::ranges::sort(figures);
  return figures.front() < 0 ? -1 : figures[2];
}

int run(int argc, char** argv) {
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
  const std::regex filter(argv[3]);
  const auto wants = [&](const std::string& row) { return std::regex_search(row, filter); };
  std::string rows;
  const auto add = [&](const std::string& row, std::uint32_t size, double figure) {
    rows += fmt::format(
        "{}{{\"name\": \"{}/{}/{}\", \"run_type\": \"iteration\", \"real_time\": {}, \"time_unit\": \"ns\"}}",
        rows.empty() ? "" : ",\n", row, argv[1], size, figure);
  };
  const Object object = open(argv[2]);
  if (object == nullptr || bpf_object__load(object.get()) != 0) {
    fmt::print(stderr, "programs: cannot load {}\n", argv[2]);
    return 1;
  }
  const std::uint32_t zero = 0;
  const int tail = bpf_program__fd(bpf_object__find_program_by_name(object.get(), "tail_calls"));
  bpf_map_update_elem(bpf_object__find_map_fd_by_name(object.get(), "next"), &zero, &tail, BPF_ANY);
  bpf_program* program;
  bpf_object__for_each_program(program, object.get()) {
    const std::string row = fmt::format("run_{}", bpf_program__name(program));
    const std::uint32_t runs = row == "run_arithmetic" ? 10'000 : 1'000'000;
    if (wants(row)) add(row, 1, median_of_five([&] { return run_time(bpf_program__fd(program), runs); }));
  }
  for (int i = 4; i < argc; ++i) {
    const std::string row = "load_" + std::filesystem::path(argv[i]).stem().stem().string();
    if (wants(row)) add(row, 1, median_of_five([&] { return load_time(argv[i]); }));
  }
  fmt::print("{{\"benchmarks\": [\n{}\n]}}\n", rows);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: programs WHO OBJECT FILTER [OBJECT-TO-LOAD...]\n");
    return 2;
  }
  return run(argc, argv);
}
