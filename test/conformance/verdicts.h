// SPDX-License-Identifier: Apache-2.0
// Random programs, valid and nearly so: who lets them pass, and what do those do that both let pass?
#pragma once
#include <cstdint>
#include <vector>

#include "backend.h"
#include "bytecode.h"

namespace portolan::conformance {

// What generated programs work on, by number: see verdict_maps().
enum VerdictMap : std::uint32_t {
  kNumbers,
  kTable,
  kCounters,
  kLocked,
  kConstants,
  kGlobals,
  kRing,
  kLine,      // a queue
  kOuter,     // an array of maps, of which one is kNumbers
  kPrograms,  // that are none
  kVerdictMaps
};

struct RandomProgram {
  std::uint32_t type = 0, flags = 0;
  std::vector<Bytecode::Insn> insns;
  std::vector<std::uint32_t> functions;  // where static functions start, the main program's 0 left out
  std::vector<bool> is_callback;         // of each: it is called by helpers
  bool is_tampered = false;              // changed at random after it was made: anything may be wrong
};
// References to maps are PseudoLoad::kMapFd and kMapValue with a VerdictMap for an fd.
RandomProgram random_program(std::uint64_t seed);

struct VerdictRun {
  std::uint64_t first_seed = 0, programs = 1000;
  bool verbose = false;  // print what only the kernel lets pass, too
};
// How many programs only Portolan lets pass, or do something else when they run. Prints them and the totals.
std::size_t compare_verdicts(Backend& kernel, Backend& portolan, const VerdictRun& run);

}  // namespace portolan::conformance
