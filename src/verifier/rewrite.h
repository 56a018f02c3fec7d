// SPDX-License-Identifier: Apache-2.0
// Replaces instructions of a program by others, more or fewer, and moves along what points at instructions.
#pragma once
#include <functional>

#include "verifier/facts.h"

namespace portolan::verifier {

// A program between the checks and its final form; all vectors but the last three are by instruction.
struct Draft {
  std::vector<abi::Insn> insns;
  std::vector<InsnFacts> facts;
  std::vector<SourceSubprogram> subprograms;  // by rising start
  std::vector<abi::FuncInfo> func_info;
  std::vector<abi::LineInfo> line_info;
};

// The instruction that a jump, a call of a subprogram or a load of a function at `at` leads to; -1: none.
std::int64_t target_of(const abi::Insn& insn, std::size_t at);

// Asks `replacement` for what instruction `at` becomes: it appends nothing to `out` to remove it, the
// instruction itself to keep it. An instruction with a target must stay the only one of its replacement, and
// keeps that target; other jumps in a replacement are relative to themselves. The second half of a 64-bit
// load follows its first: `replacement` is not asked. Subprograms of which nothing is left go.
// EFAULT: a jump would become longer than its offset can say; a function that is still named, but never
// called, has gone, and there is none behind it. (If the main program is all that is left, its name is 0.)
using Replacement = std::function<void(std::size_t at, std::vector<abi::Insn>& out)>;
Result<void> rewrite(Draft& draft, const Replacement& replacement);

}  // namespace portolan::verifier
