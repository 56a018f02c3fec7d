// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "vm/executable.h"

namespace portolan::vm {

// What this process runs for a program of the runtime: made once, after a check of its own if this process
// did not load it. What verify() says; EINVAL, ENOMEM. Call it inside a CallEpoch.
Result<const Executable*> executable_of(verifier::Program& program);
// Whether programs that are made ready become machine code, where that can be had: PORTOLAN_JIT=0 in the
// environment says no. PORTOLAN_JIT_HARDEN=1: with constant blinding. PORTOLAN_PERF_MAP=1: perf(1) is told
// its names; PORTOLAN_GDB_SYMBOLS=1: gdb(1).
bool jit_is_on();
void set_jit_for_test(bool on);
// For the one that has just verified it, to be adopted by the program that has the gates. What
// Executable::create() says.
Result<std::unique_ptr<const Executable>> make_ready(const verifier::VerifiedProgram& program,
                                                     verifier::Program::Gates gates);

}  // namespace portolan::vm
