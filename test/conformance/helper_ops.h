// SPDX-License-Identifier: Apache-2.0
// Random sequences of what programs do to maps: compiled to programs, which run on both backends.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend.h"
#include "bytecode.h"
#include "dice.h"
#include "uapi.h"

namespace portolan::conformance {

// A map that programs work on.
struct ProgramMap {
  std::uint32_t type = 0, key_size = 4, value_size = 8, max_entries = 1, flags = 0;
  bool is_locked = false;  // the value is kLockedValue of btf_blob.h, with a bpf_spin_lock
  bool is_hash() const { return is_hash_type(type); }
  bool is_per_cpu() const { return is_per_cpu_type(type); }
};

enum class HelperVerb : std::uint8_t {
  kLookup,        // and what the value is
  kStore,         // lookup, then a store through the pointer
  kAtomicAdd,     // lookup, then an atomic addition
  kLookupPercpu,  // of another CPU
  kUpdate,
  kDelete,
  kForEach,       // adds up all elements
  kForEachStore,  // writes to each
  kForEachDelete,
  kLockedAdd,  // between bpf_spin_lock and bpf_spin_unlock
  kPush,
  kPop,
  kPeek,  // and what the value is
};
inline constexpr std::uint32_t kHelperVerbs = 13;

struct HelperOp {
  HelperVerb verb = HelperVerb::kLookup;
  std::uint32_t map = 0;
  std::vector<std::byte> key, value;
  std::uint64_t flags = 0;
  std::uint32_t number = 0;  // the CPU, or an offset in the value
};
std::string to_text(const HelperOp& op, const ProgramMap& map);

struct HelperSequence {
  std::vector<ProgramMap> maps;
  std::vector<std::vector<HelperOp>> programs;  // run one after the other
};
HelperSequence generate_helper_ops(std::uint64_t seed, std::size_t operations);

inline constexpr std::uint32_t kResultBytes = 16;  // what each operation leaves: r0, and what it saw
// The program that does `ops`, and where its callbacks start (for func_info).
struct HelperProgram {
  std::vector<Bytecode::Insn> insns;
  std::vector<std::uint32_t> functions;
};
HelperProgram compile(const std::vector<HelperOp>& ops, const std::vector<ProgramMap>& maps,
                      const std::vector<int>& map_fds, int results_fd);

struct HelperRun {
  std::uint64_t first_seed = 0, last_seed = 9;
  std::size_t operations = 10000;  // of a seed
};
struct HelperOutcome {
  std::size_t operations = 0, programs = 0, differences = 0;
  std::map<std::pair<std::string, std::string>, std::size_t> tally;
};
HelperOutcome run_helper_ops(Backend& kernel, Backend& portolan, const HelperRun& run);

}  // namespace portolan::conformance
