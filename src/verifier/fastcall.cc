// SPDX-License-Identifier: Apache-2.0
#include "verifier/fastcall.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "isa/insn.h"
#include "verifier/helper_ids.h"

namespace portolan::verifier {
namespace {

using helper::KfuncId;
using isa::kFramePointer;

constexpr std::uint8_t kStoreWord = 0x7b, kLoadWord = 0x79;
constexpr unsigned kCallerSaved = 0b111111;  // registers as bits

bool spills(const abi::Insn& insn) { return insn.code == kStoreWord && insn.dst() == kFramePointer; }
bool fills(const abi::Insn& insn) { return insn.code == kLoadWord && insn.src() == kFramePointer; }

struct Callee {
  bool keeps_registers = false;  // in the kernel, those that it neither takes nor returns
  unsigned uses = 0;             // registers that it takes or returns, as bits
};
unsigned uses_of(unsigned parameters, bool returns) {
  return ((2u << parameters) - 1) & ~(returns ? 0u : 1u);
}

std::optional<Callee> callee_of(const UnverifiedProgram& program, const abi::Insn& insn,
                                const helper::Kfunc* kfunc) {
  unsigned parameters = 0;
  if (kfunc != nullptr) {
    while (parameters < 5 && kfunc->args[parameters].kind != helper::KfuncArg::kNone) ++parameters;
    return Callee{kfunc->id == KfuncId::rdonly_cast || kfunc->id == KfuncId::cast_to_kern_ctx,
                  uses_of(parameters, kfunc->ret != helper::KfuncRet::kVoid)};
  }
  if (insn.code != isa::kCallCode || insn.src() != static_cast<std::uint8_t>(abi::PseudoCall::kHelper))
    return std::nullopt;
  const helper::Prototype* const prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
  if (prototype == nullptr || !helper::is_available(*prototype, program.type, program.expected_attach_type))
    return std::nullopt;
  while (parameters < 5 && prototype->args[parameters].kind != helper::Arg::kNone) ++parameters;
  return Callee{prototype->id == kSmpProcessorId, uses_of(parameters, prototype->ret != helper::Ret::kVoid)};
}

// Spills and fills of one register each, the innermost at the lowest offset, as many as there are.
void find_pattern(const UnverifiedProgram& program, const Callee& callee, std::uint32_t call,
                  std::int32_t lowest, Facts& facts, Function& function) {
  unsigned expected = kCallerSaved & ~callee.uses, count = 0;
  std::int32_t offset = lowest;
  for (std::uint32_t i = 1; i <= 6 && i <= call && call + i < program.insns.size(); ++i) {
    const abi::Insn &before = program.insns[call - i], &behind = program.insns[call + i];
    if (!spills(before) || !fills(behind) || before.src() != behind.dst() ||
        (expected >> before.src() & 1) == 0 || before.off != offset || behind.off != offset)
      break;
    expected &= ~(1u << before.src());
    facts.insns[call - i].is_of_fastcall = facts.insns[call + i].is_of_fastcall = true;
    offset += 8;
    ++count;
  }
  if (count == 0) return;
  (callee.keeps_registers ? facts.insns[call].needs_no_spills : function.spills.are_needed) = true;
  function.spills.end = std::min(function.spills.end, offset);
}

}  // namespace

void find_fastcalls(const UnverifiedProgram& program, Facts& facts, Structure& structure) {
  for (Function& function : structure.functions) {
    std::int32_t lowest = 0;
    for (std::uint32_t at = function.start; at < function.end; ++at)
      if (spills(program.insns[at])) lowest = std::min<std::int32_t>(lowest, program.insns[at].off);
    for (std::uint32_t at = function.start; at < function.end; ++at)
      if (const auto callee = callee_of(program, program.insns[at], facts.insns[at].kfunc))
        find_pattern(program, *callee, at, lowest, facts, function);
  }
}

void keep_spills(Function& function, Facts& facts) {
  function.spills.end = std::numeric_limits<std::int32_t>::min();
  for (std::uint32_t at = function.start; at < function.end; ++at)
    facts.insns[at].is_of_fastcall = facts.insns[at].needs_no_spills = false;
}

void leave_out_spills(const Facts& facts, Structure& structure) {
  for (Function& function : structure.functions) {
    const bool leaves_out =
        std::any_of(facts.insns.begin() + function.start, facts.insns.begin() + function.end,
                    [](const InsnFacts& one) { return one.needs_no_spills; });
    if (leaves_out && !function.spills.are_needed)
      function.spills.stack_depth = static_cast<std::uint32_t>(-function.spills.end);
  }
}

}  // namespace portolan::verifier
