// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Functions of programs as hooks: extensions (freplace), and programs that trace programs (fentry, fexit).
//
// Source        the kernel's trampolines: a function of a program begins with room for a jump, which is patched while
//               something is attached. A process cannot patch the code of others: here each function of a program with
//               BTF begins with a look at a word, its gate, which lies in the program's region.
//
// Layout        gate    an edge of the program (program.cc), one for each function: kHook << 32 | id, or 0
//               hook    a Hook as any other (hook.cc), of the key (program, function); its list has either one extension
//                       or any number of tracing programs
//               edges   program -> hook by the gate, hook -> link by its list, link -> its program and the target: while
//                       it is attached, all of them are kept alive by whoever holds the link
//
// Invariants    I1 a gate is changed under its hook's lock only; I2 when nobody has that lock, or has died with it, a
//               listed member means that the gate is open: so it is opened before the list's first commit, and closed
//               after the one that leaves it empty.
//
// Linearization attach: the store of `current`, as in hook.cc, for the gate is open by then. detach: the same. A call of
//               the function: its load of `current` if it has seen the gate open, that of the gate otherwise.
//
// Why it holds  A run that sees the gate open finds the hook, whose view stays mapped as long as the run's CallEpoch; it
//               is inside its vCPU already, so that who detaches waits for it (Hook::edit). Where the gate is open and
//               the list empty, or the hook gone, the function itself is run: that is what a function to which nothing
//               is attached does. What a process finds in a list it checks against the target before it runs it: the
//               region is outside data. That a program is extended and that it is called by tail calls exclude each
//               other, but only as far as either call sees what the other has done: were both true, tail calls would
//               still be counted, in the run.
//
// Progress      A closed gate costs a load and a branch; programs without BTF have none. An open one costs a search in
//               what this process knows already, without a lock, once it has made ready what is listed.
//
// Crash table   killed …                          others see               put right by
//               after the gate was opened         an open gate; the        look_after_functions: before BPF_PROG_TEST_RUN,
//               before the commit                 function itself runs     and by hosts that run the program (repair: I2)
//               after the commit that empties     the same                 the same
//               the list, before the gate closed
//               the holder of the last fd of a    the program is attached  the same, which settles the links
//               link                              until then
// clang-format on
#include "base/clock.h"
#include "hook/context_image.h"
#include "hook/link.h"
#include "hook/stored.h"
#include "vm/gate.h"
#include "vm/prepare.h"

namespace portolan::hook {

using verifier::FunctionCall;

bool Hook::is_of(const object::View& program) const {
  return key_.point == Point::kProgram && key_.device == program.id();
}

bool Hook::has_extension() {
  for (const Member& member : list().members) {
    const auto view = runtime().view_by_id(object::Kind::kProg, member.program_id);
    if (view && static_cast<verifier::Program*>(*view)->is_extension()) return true;
  }
  return false;
}

Result<void> Hook::set_gate(bool is_open) {
  if (key_.point != Point::kProgram) return {};
  const auto program = static_cast<std::uint32_t>(key_.device);
  auto* const target =
      static_cast<verifier::Program*>(TRY(runtime().view_by_id(object::Kind::kProg, program)));
  return target->set_gate(function_of(key_), is_open ? id() : 0);
}

void Hook::look_after_functions(verifier::Program& program) {
  const auto gates = program.gates();
  for (std::uint32_t function = 0; function < gates.size(); ++function) {
    if (gates[function].load_acquire() == 0) continue;  // pairs with Runtime::replace_edge
    if (auto* const hook = static_cast<Hook*>(program.attachments(function))) hook->look_after_one();
  }
}

Result<Hook::Arguments> Hook::arguments_of_function() const {
  const auto id = static_cast<std::uint32_t>(key_.device);
  auto& target = static_cast<verifier::Program&>(*TRY(runtime().view_by_id(object::Kind::kProg, id)));
  TRY(vm::executable_of(target));
  const verifier::TargetProgram known = TRY(target.as_target());
  const std::uint32_t function = function_of(key_), type_id = type_id_of(key_);
  if (function >= known.functions.size() || known.functions[function].type_id != type_id ||
      known.btf == nullptr)
    return fail(EINVAL);
  Arguments arguments{verifier::kFunctionArguments, known.type};
  if (known.functions[function].has_other_arguments) return arguments;
  const btf::Btf& types = *known.btf;
  const auto parameters = types.params(*types.type(types.type(type_id)->type));
  if (parameters.size() > verifier::kFunctionArguments) return fail(EINVAL);
  arguments.count = static_cast<std::uint32_t>(parameters.size());
  return arguments;
}

const Hook::Snapshot* Hook::current_snapshot() {
  for (;;) {
    const Snapshot* const known = snapshot_.load_acquire();  // pairs with refresh
    if (known != nullptr && is_current(*known)) [[likely]]
      return known;
    if (!refresh()) return nullptr;
  }
}

FunctionCall::Outcome Hook::run_function(helper::Run& run, const FunctionCall& call) {
  const Snapshot* const known = type_id_of(key_) == call.type_id ? current_snapshot() : nullptr;
  if (known == nullptr || known->programs.empty()) return call.run(call);
  const Attached& first = known->programs.front();
  if (first.program->is_extension()) return {vm::run_in_place(*first.executable, run, call.arguments), false};
  run_tracing(run, *known, abi::AttachType::kTraceFentry, call, nullptr);
  // Nothing here has to be undone if this does not come back.
  const FunctionCall::Outcome outcome = call.run(call);
  if (!outcome.is_thrown) run_tracing(run, *known, abi::AttachType::kTraceFexit, call, &outcome.result);
  return outcome;
}

// Those of one attach type, with the arguments, and the result if there is one yet.
void Hook::run_tracing(helper::Run& run, const Snapshot& snapshot, abi::AttachType type,
                       const FunctionCall& call, const std::uint64_t* result) {
  const Arguments& arguments = snapshot.arguments;
  std::uint64_t words[verifier::kFunctionArguments + 1] = {};
  std::vector<ContextImage> images;
  helper::Attachment attachment{.arguments = words,
                                .argument_count = arguments.count,
                                .has_result = result != nullptr,
                                .address = call.address};
  bool is_first = true;
  for (const Attached& one : snapshot.programs) {
    if (one.program->attributes().expected_attach_type != static_cast<std::uint32_t>(type)) continue;
    for (std::uint32_t i = 0; is_first && i < arguments.count; ++i) {
      words[i] = call.arguments[i];
      // Functions are given the context as it is or not at all.
      if (words[i] == 0 || words[i] != reinterpret_cast<std::uintptr_t>(run.context)) continue;
      images.emplace_back(run.runtime, arguments.type, words[i]);
      words[i] = images.back().address();
    }
    if (result != nullptr) words[arguments.count] = *result;
    is_first = false;
    attachment.cookie = one.cookie;
    const bool counts = run.runtime.counts_runs();
    const std::uint64_t begin = counts ? monotonic_ns() : 0;
    (void)vm::run_beside(run, *one.executable, one.program->id(), words, attachment);
    if (counts) one.program->count_runs(1, monotonic_ns() - begin);
  }
}

}  // namespace portolan::hook
