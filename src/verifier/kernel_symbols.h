// SPDX-License-Identifier: Apache-2.0
// Functions and variables of the kernel that a program names by BTF (__ksym). What is not in
// helper/kfuncs.def is what a weak symbol is on a kernel that lacks it, so that a program which asks first
// goes its other way.
#pragma once
#include "verifier/facts.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// Each load of an address becomes one of 0, or of another number if the function is here. ENOENT, EINVAL:
// what it names is no symbol of the kernel.
Result<void> resolve_kernel_symbols(UnverifiedProgram& program, btf::Log* log);

// What calls name: InsnFacts::kfunc, where we have it. kEnotsupp, EINVAL, EPROTO: they name no function.
Result<void> resolve_kfuncs(const UnverifiedProgram& program, Facts& facts, btf::Log* log);

// What a call names, for the log.
std::string kernel_function_name(const UnverifiedProgram& program, const abi::Insn& call);

}  // namespace portolan::verifier
