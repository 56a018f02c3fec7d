// SPDX-License-Identifier: Apache-2.0
#include <new>

#include "isa/insn.h"
#include "verifier/context.h"
#include "verifier/helper_ids.h"
#include "verifier/rewrite.h"

namespace portolan::verifier {
namespace {

using isa::Alu;
using isa::Class;
using isa::Jump;

bool is_jump(const abi::Insn& insn) {
  return isa::class_of(insn) == Class::kJmp || isa::class_of(insn) == Class::kJmp32;
}
bool is_conditional(const abi::Insn& insn) {
  if (!is_jump(insn)) return false;
  const Jump jump = isa::jump_of(insn);
  return jump != Jump::kJa && jump != Jump::kCall && jump != Jump::kExit;
}
bool is_may_goto(const abi::Insn& insn) { return is_jump(insn) && isa::jump_of(insn) == Jump::kJcond; }
constexpr abi::Insn jump_by(std::int16_t offset) { return {0x05, 0, offset, 0}; }

// A conditional jump of which one way was never taken is none.
void make_plain_jumps(Draft& draft) {
  for (std::size_t at = 0; at < draft.insns.size(); ++at) {
    abi::Insn& insn = draft.insns[at];
    if (!draft.facts[at].seen || !is_conditional(insn)) continue;
    if (!draft.facts[at + 1].seen)
      insn = jump_by(insn.off);
    else if (!draft.facts[static_cast<std::size_t>(target_of(insn, at))].seen)
      insn = jump_by(0);
  }
}

// Jumps that lead nowhere. As opt_remove_nops: one that leads past others is looked at again only when the
// last of them was a may_goto.
std::vector<bool> find_nothings(const std::vector<abi::Insn>& insns) {
  std::vector<bool> is_nothing(insns.size());
  std::size_t behind = 0;  // how many such come next
  for (std::size_t at = insns.size(); at-- > 0;) {
    const abi::Insn& insn = insns[at];
    const bool leads_on = (insn.code == 0x05 || is_may_goto(insn)) && insn.off >= 0;
    const auto past = static_cast<std::size_t>(insn.off);
    is_nothing[at] = leads_on && (past == 0 || (past <= behind && is_may_goto(insns[at + past])));
    behind = is_nothing[at] ? behind + 1 : 0;
  }
  return is_nothing;
}

Result<void> remove_dead_code(Draft& draft) {
  make_plain_jumps(draft);
  TRY(rewrite(draft, [&](std::size_t at, std::vector<abi::Insn>& out) {
    if (draft.facts[at].seen) out.push_back(draft.insns[at]);
  }));
  const std::vector<bool> is_nothing = find_nothings(draft.insns);
  return rewrite(draft, [&](std::size_t at, std::vector<abi::Insn>& out) {
    if (!is_nothing[at]) out.push_back(draft.insns[at]);
  });
}

// As optimize_bpf_loop and do_misc_fixups: what the kernel's code for loops takes of a function's stack, once
// that has been found small enough.
void add_stack_of_loops(Draft& draft) {
  constexpr std::uint32_t kOfLoop = 24, kOfMayGoto = 16;
  for (std::size_t i = 0; i < draft.subprograms.size(); ++i) {
    SourceSubprogram& one = draft.subprograms[i];
    const std::size_t end =
        i + 1 < draft.subprograms.size() ? draft.subprograms[i + 1].start : draft.insns.size();
    bool has_loop = false, has_may_goto = false;
    for (std::size_t at = one.start; at < end; ++at) {
      has_loop |= draft.facts[at].loop >= 0;
      has_may_goto |= is_may_goto(draft.insns[at]);
    }
    one.stack_depth += (has_loop ? kOfLoop : 0) + (has_may_goto ? kOfMayGoto : 0);
  }
}

// By a register that may hold zero: what the instruction set says about it, spelled out, as the kernel does.
void append_division(const abi::Insn& insn, std::vector<abi::Insn>& out) {
  const bool is_wide = isa::class_of(insn) == Class::kAlu64;
  const auto jump_class = static_cast<std::uint8_t>(is_wide ? Class::kJmp : Class::kJmp32);
  const auto test = [&](Jump jump, std::int16_t offset) {
    return abi::Insn{static_cast<std::uint8_t>(jump_class | static_cast<std::uint8_t>(jump)), insn.src(),
                     offset, 0};
  };
  if (isa::alu_of(insn) == Alu::kDiv) {
    const auto zero = static_cast<std::uint8_t>(insn.dst() | insn.dst() << 4);
    out.insert(out.end(), {test(Jump::kJne, 2), {0xac, zero, 0, 0}, jump_by(1), insn});
  } else if (is_wide) {
    out.insert(out.end(), {test(Jump::kJeq, 1), insn});
  } else {
    const auto same = static_cast<std::uint8_t>(insn.dst() | insn.dst() << 4);
    out.insert(out.end(), {test(Jump::kJeq, 2), insn, jump_by(1), {0xbc, same, 0, 0}});
  }
}
bool is_unsigned_division(const abi::Insn& insn) {
  const Class kind = isa::class_of(insn);
  if ((kind != Class::kAlu && kind != Class::kAlu64) || !isa::by_register(insn) || insn.off != 0)
    return false;
  return isa::alu_of(insn) == Alu::kDiv || isa::alu_of(insn) == Alu::kMod;
}

// Which argument says in whose name a function is called later, which the program does not say. 0: none.
unsigned argument_of_own_program(const abi::Insn& insn, const helper::Kfunc* kfunc) {
  if (insn.code != isa::kCallCode) return 0;
  if (insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kHelper))
    return insn.imm == kTimerSetCallback ? 3 : 0;
  for (unsigned number = 1; kfunc != nullptr && number <= 5; ++number)
    if (kfunc->args[number - 1].kind == helper::KfuncArg::kOwnProgram) return number;
  return 0;
}

// Through a pointer to a map the kernel's struct of it is read, which the map points to.
void append_map_load(const abi::Insn& insn, std::vector<abi::Insn>& out) {
  abi::Insn load = insn;
  load.registers = static_cast<std::uint8_t>(insn.dst() | insn.dst() << 4);
  out.insert(out.end(), {{0x79, insn.registers, map::Map::image_offset(), 0}, load});
}

Result<void> expand(Draft& draft, abi::ProgType type) {
  const bool converts = has_converted_context(type);
  return rewrite(draft, [&](std::size_t at, std::vector<abi::Insn>& out) {
    const abi::Insn& insn = draft.insns[at];
    const RegType through = draft.facts[at].through;
    const bool is_socket = through == RegType::kSocket || through == RegType::kSockCommon;
    const bool is_of_context = is_socket && has_socket_in_context(type);
    if (through == RegType::kMap) {
      append_map_load(insn, out);
    } else if (through != RegType::kNotInit && through != RegType::kCtx && !is_of_context) {
      // There are no other sockets: nothing is read where one would be.
      out.push_back({0xb7, insn.dst(), 0, 0});
    } else if (converts && through == RegType::kCtx) {
      const std::vector<abi::Insn> converted = convert_context_access(type, insn);
      out.insert(out.end(), converted.begin(), converted.end());
      if (isa::class_of(insn) == isa::Class::kLdx && isa::mode_of(insn) == isa::Mode::kMemSx)
        out.push_back({0xbf, static_cast<std::uint8_t>(insn.dst() | insn.dst() << 4),
                       static_cast<std::int16_t>(isa::bytes_of(isa::size_of(insn)) * 8), 0});
    } else if (const unsigned number = argument_of_own_program(insn, draft.facts[at].kfunc); number != 0) {
      out.push_back(
          {0x18, static_cast<std::uint8_t>(number | static_cast<unsigned>(kOwnProgram) << 4), 0, 0});
      out.insert(out.end(), {{0, 0, 0, 0}, insn});
    } else if (is_unsigned_division(insn)) {
      append_division(insn, out);
    } else {
      out.push_back(insn);
    }
  });
}

std::uint32_t type_at(std::span<const abi::FuncInfo> func_info, std::uint32_t insn) {
  for (const abi::FuncInfo& info : func_info)
    if (info.insn_off == insn) return info.type_id;
  return 0;
}

}  // namespace

class ProgramBuilder {
 public:
  static Result<VerifiedProgram> build(UnverifiedProgram source, Facts facts) {
    Draft draft{source.insns, std::move(facts.insns), std::move(facts.subprograms), source.func_info,
                source.line_info};
    TRY(remove_dead_code(draft));
    add_stack_of_loops(draft);
    TRY(expand(draft, source.type));
    VerifiedProgram program;
    program.source_ = std::move(source);
    program.digest_ = facts.digest;
    program.insns_ = std::move(draft.insns);
    program.notes_.reserve(draft.facts.size());
    for (const InsnFacts& one : draft.facts)
      program.notes_.push_back({one.may_fault, one.map, one.kfunc, one.index});
    for (SourceSubprogram& one : draft.subprograms)
      program.subprograms_.push_back(
          {one.start, one.stack_bytes, std::move(one.name), std::move(one.timers), one.is_exception_callback,
           one.reads_unwritten_stack, type_at(draft.func_info, one.start), one.has_other_arguments,
           one.changes_packet, one.might_sleep, std::move(one.arguments), one.stack_depth});
    program.maps_ = std::move(facts.maps);
    program.read_only_copies_ = std::move(facts.read_only_copies);
    program.func_info_ = std::move(draft.func_info);
    program.line_info_ = std::move(draft.line_info);
    program.max_context_offset_ = facts.max_context_offset;
    program.buffer_bytes_ = facts.buffer_bytes;
    program.keeps_attach_type_ = facts.keeps_attach_type;
    program.verified_insns_ = facts.verified_insns;
    return program;
  }
};

Result<VerifiedProgram> build_program(UnverifiedProgram source, Facts facts) {
  try {
    return ProgramBuilder::build(std::move(source), std::move(facts));
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace portolan::verifier
