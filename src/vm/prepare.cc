// SPDX-License-Identifier: Apache-2.0
#include "vm/prepare.h"

#include <cstdlib>
#include <string_view>

namespace portolan::vm {
namespace {

sync::Atomic<bool>& jit_setting() {
  static const char* const wanted = std::getenv("PORTOLAN_JIT");
  static sync::Atomic<bool> on{wanted == nullptr || std::string_view(wanted) != "0"};
  return on;
}

}  // namespace

bool jit_is_on() { return jit_setting().load_relaxed(); }
void set_jit_for_test(bool on) { jit_setting().store_relaxed(on); }

Result<const Executable*> executable_of(verifier::Program& program) {
  // Nothing but this file adopts anything.
  if (const verifier::Prepared* prepared = program.prepared(); prepared != nullptr)
    return static_cast<const Executable*>(prepared);
  return adopt(program, TRY(program.verify_again()));
}

Result<const Executable*> adopt(verifier::Program& program, const verifier::VerifiedProgram& verified) {
  auto executable = TRY(Executable::create(verified));
  if (jit_is_on()) (void)executable->compile();  // what cannot be is interpreted
  return static_cast<const Executable*>(TRY(program.adopt(std::move(executable), verified.maps())));
}

}  // namespace portolan::vm
