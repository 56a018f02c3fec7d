// SPDX-License-Identifier: Apache-2.0
// The gate before a function of a program: open (its word is not 0) while something is attached to the
// function. Either engine looks at it whenever the function is entered, and comes here where it is open.
#pragma once
#include "verifier/attachments.h"
#include "vm/executable.h"

namespace portolan::vm {

// What runs in the function's place; `call` says how to run the function itself, and its arguments.
verifier::FunctionCall::Outcome pass_gate(helper::Run& run, const Executable& executable,
                                          std::uint32_t function, verifier::FunctionCall call);
// The same for machine code: jit::Gate.
std::uint64_t native_gate(helper::Run& run, const void* executable, std::uint64_t function,
                          const std::uint64_t* arguments, const void* body);

// The executable's main program as part of a run of another one, with the arguments of a function.
std::uint64_t run_in_place(const Executable& executable, helper::Run& run, const std::uint64_t* arguments);

}  // namespace portolan::vm
