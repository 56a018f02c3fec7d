// SPDX-License-Identifier: Apache-2.0
#include "vm/prepare.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/sys.h"

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

// A line for each function in the file where perf(1) looks for code that was made at run time.
void tell_perf(const verifier::VerifiedProgram& program, const jit::Code& code) {
  static const bool wanted = environment_says("PORTOLAN_PERF_MAP", "1");
  if (!wanted) return;
  std::string lines;
  for (std::size_t i = 0; i < code.starts().size(); ++i) {
    const std::size_t end = i + 1 < code.starts().size() ? code.starts()[i + 1] : code.bytes().size();
    const std::string& function = program.subprograms()[i].name;
    fmt::format_to(std::back_inserter(lines), "{:x} {:x} bpf_prog_{}\n",
                   reinterpret_cast<std::uintptr_t>(code.function(i)), end - code.starts()[i],
                   function.empty() ? program.source().name : function);
  }
  const std::string path = fmt::format("/tmp/perf-{}.map", ::getpid());
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd file(::open(path.c_str(), kFlags, 0600));
  // Whoever looks at a profile misses the names, if that fails.
  if (file.get() >= 0) (void)!::write(file.get(), lines.data(), lines.size());
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
  // What cannot be compiled is interpreted.
  if (jit_is_on() && executable->compile(new_blinding())) tell_perf(program, *executable->native());
  return executable;
}

}  // namespace portolan::vm
