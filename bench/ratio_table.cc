// SPDX-License-Identifier: Apache-2.0
// Runs the benchmark programs in turn, several times over, and prints the medians side by side, each as a
// ratio to what it is measured against. Refuses a busy machine: there, the same binary is several times
// slower.
//
//   ratio_table [--force] [--rounds N] [--json FILE] [--filter REGEX] BUILD_DIRECTORY
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Options {
  bool force = false;
  bool tables = true;    // maps as applications use them, and their peers
  bool programs = true;  // whole programs
  int rounds = 3;
  std::string json, filter = ".", build;
};

// Row -> size -> who -> every figure, in ns per operation.
using Figures = std::map<std::string, std::map<long, std::map<std::string, std::vector<double>>>>;

// Processor time spent by anybody within a second, as a part of one processor.
double other_load() {
  const auto busy = [] {
    std::ifstream stat("/proc/stat");
    std::string word;
    long user, nice, system, idle, iowait, irq, softirq;
    stat >> word >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
    return user + nice + system + irq + softirq;
  };
  const long before = busy();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  return static_cast<double>(busy() - before) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Runs a program that prints Google Benchmark's JSON; its figures go in under `rename`d names.
void collect(const std::string& command, const std::string& who, Figures& figures) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return;
  std::string text;
  char buffer[65536];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  if (::pclose(pipe) != 0) fmt::print(stderr, "ratio_table: failed: {}\n", command);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.contains("benchmarks")) return;
  for (const auto& entry : json["benchmarks"]) {
    if (entry.contains("error_occurred") && entry["error_occurred"].get<bool>()) continue;
    std::istringstream name(entry["name"].get<std::string>());
    std::string row, table, size;
    std::getline(name, row, '/');
    std::getline(name, table, '/');
    std::getline(name, size, '/');
    // Walks and batches count elements, rows of memory bytes; the others one operation an iteration.
    // Of one thread its processor time counts, which is the same but where others want the processor too.
    const bool is_alone = entry.value("threads", 1) == 1 && entry.contains("cpu_time");
    double ns = entry[is_alone ? "cpu_time" : "real_time"].get<double>();
    if ((row.ends_with("_iterate") || row.ends_with("_batch")) && entry.contains("items_per_second"))
      ns = 1e9 / entry["items_per_second"].get<double>();
    if (entry.contains("bytes")) ns = entry["bytes"].get<double>();
    if (ns >= 0) figures[row][std::stol(size)][table == "libbpf" ? who : table].push_back(ns);
  }
}

double median(std::vector<double> figures) {
  std::ranges::sort(figures);
  return figures[figures.size() / 2];
}

std::string sizes_text() {
  const char* sizes = std::getenv("PORTOLAN_BENCH_SIZES");
  return sizes == nullptr ? "1024 65536 1048576" : sizes;
}

void run(const Options& options, Figures& figures) {
  const std::string flags =
      " --benchmark_format=json --benchmark_min_time=0.2 --benchmark_filter=" + quoted(options.filter);
  const std::string directory = quoted(options.build) + "/bench";
  for (int round = 0; round < options.rounds; ++round) {
    if (options.programs) collect(directory + "/hooks cpp " + quoted(options.filter), "", figures);
    const std::string shim = quoted(options.build) + "/portolan run -- ";
    if (options.tables) {
      collect(directory + "/maps_libbpf" + flags + " 2>/dev/null", "kernel user", figures);
      collect(shim + directory + "/maps_libbpf" + flags + " 2>/dev/null", "portolan libbpf", figures);
      collect(directory + "/maps_cpp" + flags + " 2>/dev/null", "", figures);
    }
    for (const std::string who : {"kernel prog", "portolan jit"}) {
      const bool is_kernel = who == "kernel prog";
      if (is_kernel && ::geteuid() != 0) continue;
      const std::string begin = is_kernel ? "" : shim;
      const std::string filter = " " + quoted(options.filter) + " ";
      collect(begin + directory + "/kernel_prog " + quoted(who) + " " + directory + "/kernel_prog.bpf.o" +
                  filter + sizes_text(),
              "", figures);
      if (options.programs)
        collect(begin + directory + "/programs " + quoted(who) + " " + directory + "/programs.bpf.o" +
                    filter + directory + "/load/*.o",
                "", figures);
    }
  }
}

void print(const Figures& figures) {
  fmt::print(
      "ns per operation (walks and batches: per element), medians; the number in brackets is how many times "
      "less\n"
      "than `kernel user` (portolan libbpf), or the part of `kernel prog` (cpp, portolan jit) or of `kernel "
      "user` where "
      "there is none.\nTwo threads: time by operations of both. Rows of bytes: of a full map.\n");
  for (const auto& [row, by_size] : figures) {
    fmt::print("\n{}\n", row);
    for (const auto& [size, by_who] : by_size) {
      fmt::print("  {:>9} entries\n", size);
      const auto of = [&](const char* who) { return by_who.contains(who) ? median(by_who.at(who)) : 0; };
      for (const auto& [who, values] : by_who) {
        const double ns = median(values);
        std::string ratio;
        if (who == "portolan libbpf" && of("kernel user") > 0)
          ratio = fmt::format("[{:.1f} x]", of("kernel user") / ns);
        if ((who == "cpp" || who == "portolan jit") && of("kernel prog") > 0)
          ratio = fmt::format("[{:.2f}]", ns / of("kernel prog"));
        else if (who == "cpp" && of("kernel user") > 0)
          ratio = fmt::format("[{:.3f}]", ns / of("kernel user"));
        fmt::print("    {:<24} {:>9.1f} {}\n", who, ns, ratio);
      }
    }
  }
}

void write_json(const std::string& file, const Figures& figures) {
  nlohmann::json out;
  for (const auto& [row, by_size] : figures)
    for (const auto& [size, by_who] : by_size)
      for (const auto& [who, values] : by_who) out[row][std::to_string(size)][who] = median(values);
  std::ofstream(file) << out.dump(2) << '\n';
}

int usage(const std::string& wrong) {
  fmt::print(stderr,
             "ratio_table: {}\nusage: ratio_table [--force] [--rounds N] [--json FILE] [--filter REGEX] "
             "BUILD_DIRECTORY\n",
             wrong);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool takes_value = word == "--rounds" || word == "--json" || word == "--filter";
    if (takes_value && i + 1 == argc) return usage(word + " wants a value");
    if (word == "--force")
      options.force = true;
    else if (word == "--rounds")
      options.rounds = std::atoi(argv[++i]);
    else if (word == "--json")
      options.json = argv[++i];
    else if (word == "--filter")
      options.filter = argv[++i];
    else if (word.starts_with("-"))
      return usage("unknown option " + word);
    else
      options.build = word;
  }
  // A suite, and all of its rows.
  if (options.filter == "maps") options.programs = false;
  if (options.filter == "programs") options.tables = false;
  if (!options.programs || !options.tables) options.filter = ".";
  if (options.build.empty()) return usage("no BUILD_DIRECTORY");
  if (options.rounds < 1) return usage("--rounds wants a number from 1");
  if (const double load = other_load(); load > 0.15 && !options.force) {
    fmt::print(stderr,
               "ratio_table: the machine is busy ({:.0f} % of a processor): figures would mean nothing. "
               "--force measures all the same.\n",
               load * 100);
    return 3;
  }
  Figures figures;
  run(options, figures);
  print(figures);
  if (!options.json.empty()) write_json(options.json, figures);
}
