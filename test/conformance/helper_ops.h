// SPDX-License-Identifier: Apache-2.0
// Random sequences of what programs do to maps: compiled to programs, which run on both backends. Between two
// programs user space does its part: it reads rings, fills others, and puts programs, maps and events into
// maps.
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

enum ProgramType : std::uint32_t { kSchedCls = 3, kXdp = 6, kRawTracepoint = 17 };

// A map that programs work on.
struct ProgramMap {
  std::uint32_t type = 0, key_size = 4, value_size = 8, max_entries = 1, flags = 0;
  bool is_locked = false;  // the value is kLockedValue of btf_blob.h, with a bpf_spin_lock
  int outer = -1;          // the map of maps that it may be an element of
  bool is_hash() const { return is_hash_type(type); }
  bool is_per_cpu() const { return is_per_cpu_type(type); }
};

// The bytes of a key that stands for a number.
std::vector<std::byte> key_of(const ProgramMap& map, std::uint32_t number);

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
  kPeek,           // and what the value is
  kReserve,        // a record of `number` bytes, which is then submitted or, if `variant` is odd, discarded
  kReserveDynptr,  // the same, written and read as a dynptr
  kOutput,
  kQuery,
  kDrain,        // adds up all records, until one says no
  kEventOutput,  // to a perf event
  kEventRead,    // its counter
  kTailCall,     // of program `number`, from a function; it comes back with what that program returns
  kGetStackId,   // of the thread in user space
  kGetStack,
};
inline constexpr std::uint32_t kHelperVerbs = 23;

struct HelperOp {
  HelperVerb verb = HelperVerb::kLookup;
  std::uint32_t map = 0;
  std::vector<std::byte> key, value;
  std::uint64_t flags = 0;
  std::uint32_t number = 0;   // the CPU, an offset in the value, a size, an index
  std::uint32_t variant = 0;  // of how it is done
  // Where this is a map of maps: whatever map is its element `outer_key`, which is like `map`.
  int through = -1;
  std::vector<std::byte> outer_key;
};
std::string to_text(const HelperOp& op, const ProgramMap& map);

// What tail calls lead to.
struct TailTarget {
  std::vector<HelperOp> ops;
  int next_map = -1;  // then it goes on as element `next` of that map, or, if -1, returns
  std::uint32_t next = 0;
};

enum class UserVerb : std::uint8_t {
  kPutProgram,  // element `key` = target `number`
  kPutMap,      // element `key` = map `number` of the sequence
  kPutEvent,    // element `key` = event `number`
  kErase,       // element `key`
  kConsume,     // up to `number` records of a ring buffer
  kProduce,     // a record for programs to drain, whose length and flags are `number`
  kRewind,      // what they have not drained is taken back
  kReadEvent,   // up to `key` records of event `number`
};
struct UserOp {
  UserVerb verb = UserVerb::kErase;
  std::uint32_t map = 0;
  std::uint32_t key = 0, number = 0;
  std::vector<std::byte> bytes;  // of the record
};
std::string to_text(const UserOp& op);
inline constexpr std::uint32_t kUserEvents = 3;  // two of the CPU that programs run on, one of another

struct HelperStep {
  std::vector<UserOp> before;
  std::vector<HelperOp> ops;  // one program
};
struct HelperSequence {
  std::uint32_t program_type = kXdp;
  std::vector<ProgramMap> maps;
  std::vector<TailTarget> targets;
  std::vector<HelperStep> steps;
};
// The first map is one of `types`, in turn.
HelperSequence generate_helper_ops(std::uint64_t seed, std::size_t operations,
                                   const std::vector<std::uint32_t>& types);

inline constexpr std::uint32_t kResultBytes = 16;  // what each operation leaves: r0, and what it saw
inline constexpr std::uint32_t kMostOps = 500, kMostTargets = 6, kMostTargetOps = 6;
// Where the results of a target lie, of which the first is how often it ran; those of the main program come
// first.
constexpr std::uint32_t target_results(std::size_t target) {
  return (kMostOps + static_cast<std::uint32_t>(target) * (1 + kMostTargetOps)) * kResultBytes;
}
inline constexpr std::uint32_t kResultsSize = target_results(kMostTargets);

// A program, and where its functions start (for func_info).
struct HelperProgram {
  std::vector<Bytecode::Insn> insns;
  std::vector<std::uint32_t> functions;
};
HelperProgram compile(const HelperStep& step, const HelperSequence& sequence, const std::vector<int>& map_fds,
                      int results_fd);
HelperProgram compile_target(std::size_t target, const HelperSequence& sequence,
                             const std::vector<int>& map_fds, int results_fd);

struct HelperRun {
  std::uint64_t first_seed = 0, last_seed = 9;
  std::size_t operations = 10000;  // of a seed
  std::vector<std::uint32_t> types;
};
struct HelperOutcome {
  std::size_t operations = 0, programs = 0, differences = 0;
  std::map<std::pair<std::string, std::string>, std::size_t> tally;
};
HelperOutcome run_helper_ops(Backend& kernel, Backend& portolan, const HelperRun& run);

}  // namespace portolan::conformance
