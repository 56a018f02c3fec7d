// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "helper/kernel_btf.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// Those that the program's ids are of. What helper::kernel_btf() says; ENOENT: it is of no runtime.
inline Result<const btf::Btf*> kernel_types(const UnverifiedProgram& program) {
  if (program.runtime == nullptr) return fail(ENOENT);
  return helper::kernel_btf(*program.runtime);
}

}  // namespace portolan::verifier
