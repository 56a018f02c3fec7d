// SPDX-License-Identifier: Apache-2.0
// CO-RE relocations carried out on a program's instructions.
#pragma once
#include "verifier/verifier.h"

namespace portolan::verifier {

// Those of program.core_relos, which are then done with, one after the other. What there is not in the
// runtime's kernel types becomes a call of no helper, which no path may come to. EINVAL, E2BIG, ERANGE, and
// what the source says.
Result<void> apply_core_relos(UnverifiedProgram& program, btf::Log* log);

}  // namespace portolan::verifier
