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
  // Nothing is adopted but what make_ready() made.
  if (const verifier::Prepared* prepared = program.prepared(); prepared != nullptr)
    return static_cast<const Executable*>(prepared);
  const verifier::VerifiedProgram verified = TRY(program.verify_again());
  auto executable = TRY(make_ready(verified));
  return static_cast<const Executable*>(TRY(program.adopt(std::move(executable), verified.maps())));
}

Result<std::unique_ptr<const Executable>> make_ready(const verifier::VerifiedProgram& program) {
  auto executable = TRY(Executable::create(program));
  if (jit_is_on()) (void)executable->compile();  // what cannot be is interpreted
  return executable;
}

}  // namespace portolan::vm
