// SPDX-License-Identifier: Apache-2.0
// Random sequences, on one backend or on both in step.
#pragma once
#include <map>
#include <string>
#include <utility>

#include "backend.h"
#include "generate.h"

namespace portolan::conformance {

// How often each command ended in each way: shows what a generator reaches.
using Tally = std::map<std::pair<std::string, std::string>, std::size_t>;

struct Outcome {
  std::size_t operations = 0;
  std::size_t differences = 0;  // seeds that failed: each stops at its first
  Tally tally;
};

struct RunOptions {
  SequenceOptions sequence;
  std::uint64_t first_seed = 0, last_seed = 9;
  bool shrink = true;
  bool transcript = false;  // one backend: print each operation and what came of it
};

// Backends may be nullptr, but not both. Differences are printed as they are found.
Outcome run_random(Backend* kernel, Backend* portolan, const RunOptions& options);

// Whether programs of each type may touch the same parts of their contexts; how many accesses differ.
std::size_t compare_contexts(Backend& kernel, Backend& portolan);
// Whether they may call the same helpers; how many calls differ.
std::size_t compare_helper_sets(Backend& kernel, Backend& portolan);

}  // namespace portolan::conformance
