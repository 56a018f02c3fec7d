// SPDX-License-Identifier: Apache-2.0
// Functions and variables of the kernel that a program names by BTF (__ksym). No address is here: they are
// what weak symbols are on a kernel that lacks them, so that a program which asks first goes its other way.
// Functions that are called are those of helper/kfuncs.def.
#pragma once
#include "verifier/facts.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// Each load of an address becomes one of 0. ENOENT, EINVAL: what it names is no symbol of the kernel.
Result<void> resolve_kernel_symbols(UnverifiedProgram& program, btf::Log* log);

// What calls name: InsnFacts::kfunc, where we have it. kEnotsupp, EINVAL, EPROTO: they name no function.
Result<void> resolve_kfuncs(const UnverifiedProgram& program, Facts& facts, btf::Log* log);

// What a call names, for the log.
std::string kernel_function_name(const abi::Insn& call);

}  // namespace portolan::verifier
