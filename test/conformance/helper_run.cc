// SPDX-License-Identifier: Apache-2.0
// Runs the sequences of helper_ops.h on both backends, and compares results and maps after each program.
#include <fmt/format.h>
#include <sched.h>

#include "helper_side.h"
#include "observe.h"

namespace portolan::conformance {
namespace {

struct Result {
  std::uint64_t r0, saw;
  bool operator==(const Result&) const = default;
};

Result result_at(const std::vector<std::byte>& results, std::uint32_t offset) {
  return load_unaligned<Result>(results.data() + offset);
}

// What has an address in it, or depends on one, is known by its kind only: a trace's number, whether it met
// another or itself there, how many frames there were. Here the runtime's own frames are above the caller's,
// and not always the same.
Result settled(const HelperOp& op, Result result) {
  const auto r0 = static_cast<std::int64_t>(result.r0);
  const bool is_trace = op.verb == HelperVerb::kGetStackId || op.verb == HelperVerb::kGetStack;
  if (is_trace && (r0 > 0 || r0 == -EEXIST || r0 == -ENOMEM)) result.r0 = 0;
  return result;
}

class Comparison {
 public:
  Comparison(const HelperSequence& sequence, const HelperStep& step, const HelperSide::Seen& kernel,
             const HelperSide::Seen& ours)
      : sequence_(sequence), step_(step), kernel_(kernel), ours_(ours) {}

  // In words; empty: nothing differs.
  std::string difference() const {
    for (std::size_t i = 0; i < step_.before.size(); ++i)
      if (kernel_.before[i] != ours_.before[i])
        return fmt::format("{}\n  kernel {}, Portolan {}\n", to_text(step_.before[i]), kernel_.before[i],
                           ours_.before[i]);
    if (kernel_.loaded != ours_.loaded) {
      const std::string& log = ours_.loaded < 0 ? ours_.log : kernel_.log;
      return fmt::format("load: kernel {}, Portolan {}\n{}\n", result_text(kernel_.loaded),
                         result_text(ours_.loaded),
                         log.substr(log.size() - std::min<std::size_t>(log.size(), 2000)));
    }
    if (kernel_.ran != ours_.ran || kernel_.retval != ours_.retval)
      return fmt::format("run: kernel {} {}, Portolan {} {}\n", result_text(kernel_.ran), kernel_.retval,
                         result_text(ours_.ran), ours_.retval);
    if (kernel_.loaded < 0) return {};
    std::string what = of_program("operation", 0, step_.ops);
    for (std::size_t target = 0; target < sequence_.targets.size() && what.empty(); ++target) {
      const std::uint32_t results = target_results(target);
      const Result expected = result_at(kernel_.results, results), got = result_at(ours_.results, results);
      if (expected != got)
        return fmt::format("target {} ran: kernel {}, Portolan {}\n", target, expected.r0, got.r0);
      what = of_program(fmt::format("target {}, operation", target), results + kResultBytes,
                        sequence_.targets[target].ops);
    }
    if (!what.empty()) return what;
    for (std::size_t i = 0; i < kernel_.maps.size(); ++i)
      if (kernel_.maps[i] != ours_.maps[i])
        return fmt::format("map {}, {}, is not the same afterwards\n", i,
                           map_type_name(sequence_.maps[i].type));
    return {};
  }

 private:
  std::string of_program(const std::string& name, std::uint32_t results,
                         const std::vector<HelperOp>& ops) const {
    for (std::size_t i = 0; i < ops.size(); ++i, results += kResultBytes) {
      const Result expected = settled(ops[i], result_at(kernel_.results, results)),
                   got = settled(ops[i], result_at(ours_.results, results));
      if (expected != got)
        return fmt::format("{} {}: {}\n  kernel r0 {:#x}, saw {:#x}, Portolan r0 {:#x}, saw {:#x}\n", name, i,
                           to_text(ops[i], sequence_.maps[ops[i].map]), expected.r0, expected.saw, got.r0,
                           got.saw);
    }
    return {};
  }

  const HelperSequence& sequence_;
  const HelperStep& step_;
  const HelperSide::Seen &kernel_, &ours_;
};

void count(const HelperSequence& sequence, const HelperStep& step, const HelperSide::Seen& seen,
           HelperOutcome& outcome) {
  ++outcome.programs;
  outcome.operations += step.before.size() + step.ops.size();
  const auto name_of = [](const std::string& text) { return text.substr(0, text.find(" key")); };
  for (std::size_t i = 0; i < step.before.size(); ++i) {
    const std::string& answer = seen.before[i];
    const bool is_records = answer.empty() || answer[0] == ' ';
    ++outcome.tally[{name_of(to_text(step.before[i])), !is_records      ? answer
                                                       : answer.empty() ? "nothing"
                                                                        : "records"}];
  }
  for (std::size_t i = 0; i < step.ops.size() && seen.loaded == 0; ++i) {
    const HelperOp& op = step.ops[i];
    const auto r0 =
        static_cast<std::int64_t>(result_at(seen.results, static_cast<std::uint32_t>(i) * kResultBytes).r0);
    const bool is_lookup = op.verb <= HelperVerb::kLookupPercpu || op.verb == HelperVerb::kLockedAdd ||
                           op.verb == HelperVerb::kReserve;
    ++outcome.tally[{name_of(to_text(op, sequence.maps[op.map])), is_lookup ? (r0 != 0 ? "found" : "NULL")
                                                                  : r0 < 0  ? result_text(r0)
                                                                            : "0 or more"}];
  }
}

// Per-CPU values are those of the CPU that the program runs on.
class OnOneCpu {
 public:
  OnOneCpu() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &before_)) {
        CPU_SET(cpu, &one);
        break;
      }
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OnOneCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

}  // namespace

HelperOutcome run_helper_ops(Backend& kernel, Backend& portolan, const HelperRun& run) {
  const OnOneCpu pinned;
  HelperOutcome outcome;
  HelperSide expected(kernel), got(portolan);
  for (std::uint64_t seed = run.first_seed; seed <= run.last_seed; ++seed) {
    const HelperSequence sequence = generate_helper_ops(seed, run.operations, run.types);
    const std::string theirs_made = expected.make(sequence), ours_made = got.make(sequence);
    if (!theirs_made.empty() || !ours_made.empty()) {
      ++outcome.differences;
      fmt::print("\nseed {}: a target of tail calls: kernel {}, Portolan {}\n", seed, theirs_made, ours_made);
      continue;
    }
    for (std::size_t i = 0; i < sequence.steps.size(); ++i) {
      const HelperStep& step = sequence.steps[i];
      const HelperSide::Seen theirs = expected.run(step), ours = got.run(step);
      count(sequence, step, theirs, outcome);
      const std::string what = Comparison(sequence, step, theirs, ours).difference();
      if (what.empty()) continue;
      ++outcome.differences;
      fmt::print("\nseed {}, program {} of {} operations, of type {}: {}", seed, i, step.ops.size(),
                 sequence.program_type, what);
      break;
    }
  }
  return outcome;
}

}  // namespace portolan::conformance
