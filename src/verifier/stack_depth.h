// SPDX-License-Identifier: Apache-2.0
// How much stack the functions of a program need together.
#pragma once
#include "verifier/structure.h"

namespace portolan::verifier {

// That no chain of calls has more than 8 frames, or needs more than 512 bytes of stack (of programs whose
// functions have stacks of their own, only those that need little of it count together), and nothing is
// thrown where a helper would have to be left. EACCES, E2BIG, EINVAL.
Result<void> check_stack_depth(const UnverifiedProgram& program, const Facts& facts,
                               const Structure& structure, btf::Log* log);

}  // namespace portolan::verifier
