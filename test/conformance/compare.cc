// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <fmt/format.h>

#include <optional>

#include "observe.h"
#include "shrink.h"

namespace portolan::conformance {
namespace {

using Sequence = std::vector<Operation>;

class Pair {
 public:
  Pair(Backend& kernel, Backend& portolan) : kernel_(kernel, arena_), portolan_(portolan, arena_) {}

  // The index of the first operation that differs.
  std::optional<std::size_t> run(const Sequence& sequence, std::string* what, Tally* tally) {
    kernel_.clear();
    portolan_.clear();
    for (std::size_t i = 0; i < sequence.size(); ++i) {
      const Observation expected = execute(kernel_, sequence[i]);
      const Observation got = execute(portolan_, sequence[i]);
      if (tally != nullptr && sequence[i].verb == Verb::kBpf)
        ++(*tally)[{std::string(command_name(sequence[i].command)), result_text(expected.result)}];
      if (expected == got) continue;
      if (what != nullptr) *what = difference(expected, got);
      return i;
    }
    return std::nullopt;
  }

 private:
  Arena arena_;
  World kernel_;
  World portolan_;
};

void report(Pair& pair, const Sequence& sequence, std::size_t failed_at, const std::string& first,
            std::uint64_t seed, bool shorten) {
  std::string what;
  Sequence shortest(sequence.begin(), sequence.begin() + static_cast<std::ptrdiff_t>(failed_at) + 1);
  if (shorten)
    shortest = shrink(std::move(shortest), [&](const Sequence& candidate) {
      return pair.run(candidate, nullptr, nullptr).has_value();
    });
  const auto last = pair.run(shortest, &what, nullptr);
  fmt::print("\nseed {}: different at operation {}; the shortest sequence found:\n", seed, failed_at);
  for (std::size_t i = 0; i < shortest.size(); ++i) fmt::print("  {:2} {}\n", i, to_text(shortest[i]));
  fmt::print("{}", last ? what : "  not seen again, but once:\n" + first);
}

// FNV-1a, to say in a word what a caller could see.
std::uint64_t digest(const Observation& seen) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const Observation::Part& part : seen.parts)
    for (const std::byte byte : part.bytes)
      hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

Outcome run_one(Backend& backend, const RunOptions& options) {
  Outcome outcome;
  Arena arena;
  World world(backend, arena);
  SequenceOptions one = options.sequence;
  one.with_mappings = backend.maps_memory();
  for (one.seed = options.first_seed; one.seed <= options.last_seed; ++one.seed) {
    world.clear();
    for (const Operation& operation : generate(one)) {
      const Observation seen = execute(world, operation);
      if (operation.verb == Verb::kBpf)
        ++outcome.tally[{std::string(command_name(operation.command)), result_text(seen.result)}];
      if (options.transcript)
        fmt::print("{}.{} {} = {} #{:08x}\n", one.seed, outcome.operations, to_text(operation),
                   result_text(seen.result), static_cast<std::uint32_t>(digest(seen)));
      ++outcome.operations;
    }
  }
  return outcome;
}

}  // namespace

Outcome run_random(Backend* kernel, Backend* portolan, const RunOptions& options) {
  if (kernel == nullptr || portolan == nullptr)
    return run_one(kernel != nullptr ? *kernel : *portolan, options);
  Outcome outcome;
  Pair pair(*kernel, *portolan);
  SequenceOptions one = options.sequence;
  one.with_mappings = kernel->maps_memory() && portolan->maps_memory();
  for (one.seed = options.first_seed; one.seed <= options.last_seed; ++one.seed) {
    const Sequence sequence = generate(one);
    std::string what;
    const auto failed_at = pair.run(sequence, &what, &outcome.tally);
    outcome.operations += failed_at ? *failed_at + 1 : sequence.size();
    if (!failed_at) continue;
    ++outcome.differences;
    report(pair, sequence, *failed_at, what, one.seed, options.shrink);
  }
  return outcome;
}

}  // namespace portolan::conformance
