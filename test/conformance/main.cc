// SPDX-License-Identifier: Apache-2.0
// conformance                       the hand-written cases (GoogleTest's options apply)
// conformance --seeds 0..9 …        random sequences
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <span>

#include "cases.h"
#include "compare.h"
#include "helper_ops.h"
#include "verdicts.h"

namespace portolan::conformance {
namespace {

struct CommandLine {
  RunOptions run;
  std::string backend = "both";
  bool random = false;
  bool programs = false;
  bool contexts = false, helper_sets = false;
  VerdictRun verdicts{0, 0, false};
  bool tally = false;
};

[[noreturn]] void usage(std::string_view wrong) {
  fmt::print(stderr,
             "conformance: {}\n"
             "usage: conformance                          hand-written cases\n"
             "       conformance --seeds FIRST..LAST      random sequences\n"
             "  --type NAME|all    type of the maps, by bpftool's name (all); btf: BTF_LOAD only\n"
             "  --ops N            operations for each seed (10000)\n"
             "  --programs         random sequences of helper calls, inside programs\n"
             "  --contexts         every access to the context of each type of program\n"
             "  --helper-sets      every helper from each type of program\n"
             "  --verdicts N       N random programs, valid and nearly so, from the first of --seeds on\n"
             "  --verbose          with --verdicts: what only the kernel lets pass, too\n"
             "  --backend both|kernel|portolan (both)\n"
             "            kernel-twice       tests this program itself\n"
             "            libc               by libc's symbols, for a run under `portolan run`\n"
             "  --transcript       one backend: print each operation and what came of it\n"
             "  --tally            how often each command ended in each way\n"
             "  --no-shrink        print a failing sequence's length only as it is\n",
             wrong);
  std::exit(2);
}

std::vector<std::uint32_t> types_named(std::string_view name, std::span<const std::uint32_t> among) {
  std::vector<std::uint32_t> types;
  for (const std::uint32_t type : among)
    if (name == "all" || name == map_type_name(type)) types.push_back(type);
  if (types.empty() && name != "btf") usage(fmt::format("no map type \"{}\"", name));
  return types;
}

std::uint64_t number(const std::string& text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0') usage(fmt::format("not a number: \"{}\"", text));
  return value;
}

CommandLine parse(int argc, char** argv) {
  CommandLine line;
  std::string type = "all";
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) usage(option + " needs a value");
      return argv[++i];
    };
    if (option == "--type") {
      type = value();
    } else if (option == "--seeds") {
      const std::string range = value();
      const auto dots = range.find("..");
      line.run.first_seed = number(range.substr(0, dots));
      line.run.last_seed = dots == std::string::npos ? line.run.first_seed : number(range.substr(dots + 2));
      line.random = true;
    } else if (option == "--ops") {
      line.run.sequence.operations = number(value());
    } else if (option == "--backend") {
      line.backend = value();
      if (line.backend != "both" && line.backend != "kernel" && line.backend != "portolan" &&
          line.backend != "kernel-twice" && line.backend != "libc")
        usage("no backend \"" + line.backend + "\"");
    } else if (option == "--transcript") {
      line.run.transcript = true;
    } else if (option == "--programs") {
      line.programs = true;
    } else if (option == "--verdicts") {
      line.verdicts.programs = number(value());
    } else if (option == "--verbose") {
      line.verdicts.verbose = true;
    } else if (option == "--contexts") {
      line.contexts = true;
    } else if (option == "--helper-sets") {
      line.helper_sets = true;
    } else if (option == "--tally") {
      line.tally = true;
    } else if (option == "--no-shrink") {
      line.run.shrink = false;
    } else {
      usage("unknown option " + option);
    }
  }
  line.run.sequence.types =
      line.programs ? types_named(type, kProgramTypes) : types_named(type, kRandomTypes);
  return line;
}

void print_tally(const Tally& tally) {
  for (const auto& [what, times] : tally) fmt::print("{:>9}  {} {}\n", times, what.first, what.second);
}

int program_run(const CommandLine& line, Backend* kernel, Backend* portolan) {
  if (kernel == nullptr || portolan == nullptr) {
    fmt::print("nothing to compare with\n");
    return 0;
  }
  const auto start = std::chrono::steady_clock::now();
  const HelperOutcome outcome = run_helper_ops(
      *kernel, *portolan,
      {line.run.first_seed, line.run.last_seed, line.run.sequence.operations, line.run.sequence.types});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (line.tally) print_tally(outcome.tally);
  fmt::print("{} operations in {} programs over {} seeds in {:.1f} s: {} differences\n", outcome.operations,
             outcome.programs, line.run.last_seed - line.run.first_seed + 1, took.count(),
             outcome.differences);
  return outcome.differences == 0 ? 0 : 1;
}

int random_run(const CommandLine& line, Backend* kernel, Backend* portolan) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = run_random(kernel, portolan, line.run);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (line.tally) print_tally(outcome.tally);
  if (line.run.transcript) return 0;
  fmt::print("{} operations over {} seeds in {:.1f} s: ", outcome.operations,
             line.run.last_seed - line.run.first_seed + 1, took.count());
  if (kernel != nullptr && portolan != nullptr)
    fmt::print("{} differences\n", outcome.differences);
  else
    fmt::print("nothing to compare with\n");
  return outcome.differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace portolan::conformance

int main(int argc, char** argv) {
  using namespace portolan::conformance;
  ::testing::InitGoogleTest(&argc, argv);  // takes its own options out
  CommandLine line = parse(argc, argv);
  std::string why;
  std::unique_ptr<Backend> kernel, portolan;
  if (line.backend != "portolan" && line.backend != "libc") {
    kernel = open_kernel(&why);
    if (kernel == nullptr) fmt::print("kernel half skipped: {}\n", why);
  }
  if (line.backend != "kernel") {
    portolan = line.backend == "kernel-twice" ? open_kernel(&why)
               : line.backend == "libc"       ? open_libc(&why)
                                              : open_portolan(&why);
    if (portolan == nullptr) {
      fmt::print(stderr, "conformance: {}\n", why);
      return 1;
    }
  }
  if (kernel == nullptr && portolan == nullptr) return 0;
  if (line.verdicts.programs != 0) {
    line.verdicts.first_seed = line.random ? line.run.first_seed : 0;
    if (kernel != nullptr) return compare_verdicts(*kernel, *portolan, line.verdicts) == 0 ? 0 : 1;
    fmt::print("nothing to compare with\n");
    return 0;
  }
  if (line.contexts || line.helper_sets) {
    const auto compare = line.contexts ? compare_contexts : compare_helper_sets;
    if (kernel != nullptr) return compare(*kernel, *portolan) == 0 ? 0 : 1;
    fmt::print("nothing to compare with\n");
    return 0;
  }
  if (line.programs) return program_run(line, kernel.get(), portolan.get());
  if (line.random) return random_run(line, kernel.get(), portolan.get());
  set_case_backends(kernel.get(), portolan.get());
  return RUN_ALL_TESTS();
}
