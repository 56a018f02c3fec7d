// SPDX-License-Identifier: Apache-2.0
// The shape of a program: its functions, and which instructions may follow which.
#pragma once
#include <optional>
#include <vector>

#include "verifier/btf_check.h"
#include "verifier/facts.h"

namespace portolan::verifier {

// Of a function, what fastcall.h says.
struct FastcallSpills {
  std::int32_t end = 0;                           // they lie below this offset of the frame pointer
  bool are_needed = false;                        // around some call, too, that they cannot be left out of
  std::optional<std::uint32_t> stack_depth = {};  // without them, once it is known that they can be left out
};

struct Function {
  std::uint32_t start = 0, end = 0;
  bool has_ld_abs = false, has_tail_call = false;
  bool changes_packet = false;       // it, or what it calls, moves the packet
  bool might_sleep = false;          // likewise
  bool might_throw = false;          // likewise
  bool has_other_arguments = false;  // than its type says
  bool is_exception_callback = false;
  bool is_global = false;         // by BTF: verified by itself, for any arguments of its types
  bool is_callback = false;       // some instruction takes its address
  bool is_async = false;          // timers or work call it: nobody's stack is below its own
  std::uint32_t stack_bytes = 0;  // of its frame, in words of 8
  FastcallSpills spills = {};
  // What the kernel charges it with.
  std::uint32_t stack_depth() const { return spills.stack_depth.value_or(stack_bytes); }
  bool reads_unwritten_stack = false;  // so far
  std::string name;
  std::optional<std::vector<GlobalArgument>> arguments = {};  // of a global one, once they are known
};

struct Structure {
  std::vector<Function> functions;         // by rising start
  bool has_exception_callback = false;     // one of them
  std::vector<bool> is_prune_point;        // by instruction
  std::vector<std::uint16_t> live_before;  // registers that may be read before they are written, as bits
  std::uint32_t function_at(std::uint32_t insn) const;
  std::int64_t function_that_starts_at(std::int64_t insn) const;  // -1: none
};

bool calls_function(const abi::Insn& insn);
bool loads_function(const abi::Insn& insn);  // its address
// Whether it calls a helper that calls back.
bool is_callback_call(const abi::Insn& insn);

// Functions, and that jumps stay inside of them. EINVAL: those that were found until then are in `structure`.
Result<void> find_functions(const UnverifiedProgram& program, const Facts& facts, Structure& structure,
                            btf::Log* log);
// That every instruction can be reached, by whatever path; marks where paths meet. EINVAL.
Result<void> check_flow(const UnverifiedProgram& program, const Facts& facts, Structure& structure,
                        btf::Log* log);
void find_live_registers(const UnverifiedProgram& program, const Facts& facts, Structure& structure);
}  // namespace portolan::verifier
