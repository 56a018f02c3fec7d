// SPDX-License-Identifier: Apache-2.0
// What the walk over all paths leaves for the passes that rewrite the program.
#pragma once
#include <cstdint>
#include <vector>

#include "helper/kfunc.h"
#include "verifier/state.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// Of one instruction of the source, over all paths.
struct InsnFacts {
  bool seen = false;                     // some path comes here
  bool seen_access = false;              // it has been carried out
  RegType through = RegType::kNotInit;   // a load or store through a pointer of which it makes a difference
  bool may_fault = false;                // as InsnNotes
  std::int32_t map = kNotSeen;           // of a call of a helper: index into maps, or one of these
  std::int32_t loop = kNotSeen;          // of a call of bpf_loop: which function it calls back, without flags
  bool is_of_fastcall = false;           // a spill or fill around a call: see fastcall.h
  bool needs_no_spills = false;          // a call that has some
  const helper::Kfunc* kfunc = nullptr;  // that it calls
  std::int64_t index = kNotSeen;         // of a tail call: into its map, or one of these
  static constexpr std::int32_t kNotSeen = -2, kSeveral = -1;
};

struct SourceSubprogram {
  std::uint32_t start = 0, end = 0;  // instructions of the source
  std::uint32_t stack_bytes = 0;
  std::string name;
  std::vector<TimersOf> timers = {};
  bool is_exception_callback = false;
  bool reads_unwritten_stack = true;
  bool has_other_arguments = false, changes_packet = false, might_sleep = false;
  std::vector<GlobalArgument> arguments = {};
  std::uint32_t stack_depth = 0;  // that the kernel charges it with
};

// A function that timers, or work, in values of such maps call.
struct AsyncCallback {
  std::uint32_t function;
  Async caller;
  const map::MapSpec* map;
  friend bool operator==(const AsyncCallback&, const AsyncCallback&) = default;
};

struct Facts {
  Digest digest{};  // as VerifiedProgram
  std::vector<InsnFacts> insns;
  std::vector<SourceSubprogram> subprograms;
  std::vector<map::Map*> maps;
  std::vector<ReadOnlyCopy> read_only_copies;
  std::vector<AsyncCallback> async_callbacks;
  std::uint32_t max_context_offset = 0;
  bool keeps_attach_type = false;  // as VerifiedProgram
  BufferBytes buffer_bytes;
  std::uint32_t verified_insns = 0;
};

// Dead code out, branches that go one way made plain, context accesses converted; offsets, calls, function
// and line info follow. EFAULT: the conversion does not fit (an offset beyond 16 bits).
Result<VerifiedProgram> build_program(UnverifiedProgram source, Facts facts);

}  // namespace portolan::verifier
