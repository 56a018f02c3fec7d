// SPDX-License-Identifier: Apache-2.0
#include "vm/prepare.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/random.h"

namespace portolan::vm {
namespace {

bool environment_says(const char* name, std::string_view value) {
  const char* const text = std::getenv(name);
  return text != nullptr && text == value;
}

sync::Atomic<bool>& jit_setting() {
  static sync::Atomic<bool> on{!environment_says("PORTOLAN_JIT", "0")};
  return on;
}

std::uint64_t new_blinding() {
  static const bool hardens = environment_says("PORTOLAN_JIT_HARDEN", "1");
  return hardens ? random_u64() | 1 : 0;
}

void tell_names(Executable& executable, const std::string& program) {
  static const bool to_perf = environment_says("PORTOLAN_PERF_MAP", "1");
  static const bool to_debugger = environment_says("PORTOLAN_GDB_SYMBOLS", "1");
  if (!to_perf && !to_debugger) return;
  const std::vector<jit::Symbol> symbols = executable.symbols(program);
  if (to_perf) jit::tell_perf(symbols);
  if (to_debugger) executable.keep(jit::DebuggerSymbols::create(symbols));
}

}  // namespace

bool jit_is_on() { return jit_setting().load_relaxed(); }
void set_jit_for_test(bool on) { jit_setting().store_relaxed(on); }

Result<const Executable*> executable_of(verifier::Program& program) {
  // Nothing is adopted but what make_ready() made.
  if (const verifier::Prepared* prepared = program.prepared(); prepared != nullptr)
    return static_cast<const Executable*>(prepared);
  // Its own checks ask what those of its target have found.
  if (program.attributes().target_id != 0) {
    verifier::Program* const target = TRY(program.target());
    TRY(executable_of(*target));
  }
  const verifier::VerifiedProgram verified = TRY(program.verify_again());
  auto executable = TRY(make_ready(verified, program.gates()));
  return static_cast<const Executable*>(TRY(program.adopt(std::move(executable), verified.maps())));
}

Result<std::unique_ptr<const Executable>> make_ready(const verifier::VerifiedProgram& program,
                                                     verifier::Program::Gates gates) {
  auto executable = TRY(Executable::create(program));
  executable->keep_gates(gates);
  // What cannot be compiled is interpreted.
  if (jit_is_on() && executable->compile(new_blinding())) tell_names(*executable, program.source().name);
  return executable;
}

}  // namespace portolan::vm
