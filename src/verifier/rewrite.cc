// SPDX-License-Identifier: Apache-2.0
#include "verifier/rewrite.h"

#include <algorithm>
#include <limits>

#include "isa/insn.h"

namespace portolan::verifier {
namespace {

using isa::Class;
using isa::Jump;

bool is_function_load(const abi::Insn& insn) {
  return isa::is_wide(insn) && insn.src() == static_cast<std::uint8_t>(abi::PseudoLoad::kFunc);
}
bool is_subprogram_call(const abi::Insn& insn) {
  return insn.code == isa::kCallCode && insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram);
}
// Whether the distance stands in the immediate rather than in the offset.
bool reaches_by_immediate(const abi::Insn& insn) {
  const bool is_long = isa::class_of(insn) == Class::kJmp32 && isa::jump_of(insn) == Jump::kJa;
  return is_long || is_function_load(insn) || is_subprogram_call(insn);
}

Result<void> aim(abi::Insn& insn, std::int64_t distance) {
  if (reaches_by_immediate(insn)) {
    if (distance < std::numeric_limits<std::int32_t>::min() ||
        distance > std::numeric_limits<std::int32_t>::max())
      return fail(EFAULT);
    insn.imm = static_cast<std::int32_t>(distance);
  } else {
    if (distance < std::numeric_limits<std::int16_t>::min() ||
        distance > std::numeric_limits<std::int16_t>::max())
      return fail(EFAULT);
    insn.off = static_cast<std::int16_t>(distance);
  }
  return {};
}

// Where everything went.
struct Moves {
  std::vector<std::uint32_t> start;  // of old instructions; of a removed one, what follows it now
  std::vector<bool> removed;
};

void move_functions(Draft& draft, const Moves& moves, std::uint32_t end) {
  std::vector<SourceSubprogram> subprograms;
  for (SourceSubprogram& one : draft.subprograms) {
    const std::uint32_t begin = moves.start[one.start];
    const std::uint32_t stop = one.end < moves.start.size() ? moves.start[one.end] : end;
    if (begin == stop) continue;
    subprograms.push_back(std::move(one));
    subprograms.back().start = begin;
    subprograms.back().end = stop;
  }
  std::vector<abi::FuncInfo> func_info;
  for (std::size_t i = 0; i < draft.func_info.size(); ++i) {
    const abi::FuncInfo& info = draft.func_info[i];
    const std::uint32_t begin = moves.start[info.insn_off];
    const std::size_t next =
        i + 1 < draft.func_info.size() ? draft.func_info[i + 1].insn_off : moves.start.size();
    const std::uint32_t stop = next < moves.start.size() ? moves.start[next] : end;
    if (begin != stop) func_info.push_back({begin, info.type_id});
  }
  draft.subprograms = std::move(subprograms);
  draft.func_info = std::move(func_info);
}

// The line of what was removed speaks for what follows, unless that has one of its own.
void move_lines(Draft& draft, const Moves& moves, std::uint32_t end) {
  std::vector<abi::LineInfo> lines;
  for (abi::LineInfo line : draft.line_info) {
    const bool removed = moves.removed[line.insn_off];
    line.insn_off = moves.start[line.insn_off];
    if (removed && line.insn_off == end) continue;
    if (!lines.empty() && lines.back().insn_off == line.insn_off)
      lines.back() = line;
    else
      lines.push_back(line);
  }
  draft.line_info = std::move(lines);
}

}  // namespace

std::int64_t target_of(const abi::Insn& insn, std::size_t at) {
  const Class kind = isa::class_of(insn);
  const bool jumps = kind == Class::kJmp || kind == Class::kJmp32;
  if (!is_function_load(insn)) {
    if (!jumps || isa::jump_of(insn) == Jump::kExit) return -1;
    if (isa::jump_of(insn) == Jump::kCall && !is_subprogram_call(insn)) return -1;
  }
  return static_cast<std::int64_t>(at) + 1 + (reaches_by_immediate(insn) ? insn.imm : insn.off);
}

Result<void> rewrite(Draft& draft, const Replacement& replacement) {
  const std::size_t count = draft.insns.size();
  Moves moves{std::vector<std::uint32_t>(count), std::vector<bool>(count)};
  std::vector<abi::Insn> insns;
  std::vector<InsnFacts> facts;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> aimed;  // new place, old target
  insns.reserve(count);
  facts.reserve(count);
  for (std::size_t at = 0; at < count; ++at) {
    const auto begin = static_cast<std::uint32_t>(insns.size());
    moves.start[at] = begin;
    replacement(at, insns);
    moves.removed[at] = insns.size() == begin;
    const std::int64_t target = target_of(draft.insns[at], at);
    if (target >= 0 && insns.size() == begin + 1)
      aimed.emplace_back(begin, static_cast<std::uint32_t>(target));
    if (isa::is_wide(draft.insns[at])) {
      ++at;
      moves.removed[at] = moves.removed[at - 1];
      moves.start[at] = static_cast<std::uint32_t>(insns.size());
      if (!moves.removed[at]) insns.push_back(draft.insns[at]);
    }
    facts.resize(insns.size(), draft.facts[at]);  // of the second half, where there is one: the same
  }
  // A function that was named but never entered is gone; its name leads to the next one, where there is one.
  const auto leads_nowhere = [&](std::uint32_t target) {
    return target >= count || moves.start[target] == insns.size();
  };
  const auto remaining =
      std::count_if(draft.subprograms.begin(), draft.subprograms.end(), [&](const SourceSubprogram& one) {
        return moves.start[one.start] != (one.end < count ? moves.start[one.end] : insns.size());
      });
  for (const auto& [place, target] : aimed) {
    if (is_function_load(insns[place]) && leads_nowhere(target)) {
      if (remaining > 1) return fail(EFAULT);  // as the kernel has it
      insns[place] = {insns[place].code, insns[place].dst(), 0, 0};
      continue;
    }
    TRY(aim(insns[place], std::int64_t{moves.start[target]} - place - 1));
  }
  const auto end = static_cast<std::uint32_t>(insns.size());
  move_functions(draft, moves, end);
  move_lines(draft, moves, end);
  draft.insns = std::move(insns);
  draft.facts = std::move(facts);
  return {};
}

}  // namespace portolan::verifier
