// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "abi/insn.h"
#include "base/result.h"
#include "btf/log.h"

namespace portolan::verifier {

// EINVAL: an instruction that there is not.
Result<void> check_opcodes(std::span<const abi::Insn> insns, btf::Log* log);
// EINVAL: a field that must be zero is not. Only of instructions that some path comes to, as in the kernel.
Result<void> check_fields(const abi::Insn& insn, btf::Log* log);

}  // namespace portolan::verifier
