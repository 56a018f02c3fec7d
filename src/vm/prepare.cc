// SPDX-License-Identifier: Apache-2.0
#include "vm/prepare.h"

namespace portolan::vm {

Result<const Executable*> executable_of(verifier::Program& program) {
  // Nothing but this file adopts anything.
  if (const verifier::Prepared* prepared = program.prepared(); prepared != nullptr)
    return static_cast<const Executable*>(prepared);
  return adopt(program, TRY(program.verify_again()));
}

Result<const Executable*> adopt(verifier::Program& program, const verifier::VerifiedProgram& verified) {
  auto executable = TRY(Executable::create(verified));
  return static_cast<const Executable*>(TRY(program.adopt(std::move(executable), verified.maps())));
}

}  // namespace portolan::vm
