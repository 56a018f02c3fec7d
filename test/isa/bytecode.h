// SPDX-License-Identifier: Apache-2.0
// Programs that are written instruction by instruction, as sides load them.
#pragma once
#include <vector>

#include "abi/insn.h"
#include "conformance/bytecode.h"

namespace portolan::isa {

using conformance::Bytecode;

inline std::vector<abi::Insn> insns_of(Bytecode& code) {
  std::vector<abi::Insn> insns;
  for (const Bytecode::Insn& insn : code.finish())
    insns.push_back({insn.code, insn.registers, insn.off, insn.imm});
  return insns;
}

}  // namespace portolan::isa
