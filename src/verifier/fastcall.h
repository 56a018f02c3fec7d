// SPDX-License-Identifier: Apache-2.0
// Calls around which a compiler spills registers though what is called leaves them alone. clang puts such
// spills below all else on the stack, so that a kernel that knows the function can leave them out, and does
// where nothing else is seen to touch these bytes. Here they stay, as functions of ours clobber what any call
// may; but the kernel does not charge them to the stack of a program, and so neither does this verifier.
#pragma once
#include "verifier/structure.h"

namespace portolan::verifier {

// Marks the patterns: before the walk.
void find_fastcalls(const UnverifiedProgram& program, Facts& facts, Structure& structure);
// Something else touches the bytes below FastcallSpills::end: nothing is left out of this function.
void keep_spills(Function& function, Facts& facts);
// How deep the stack is without them: after the walk.
void leave_out_spills(const Facts& facts, Structure& structure);

}  // namespace portolan::verifier
