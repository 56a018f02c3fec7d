// SPDX-License-Identifier: Apache-2.0
#include "vm/tail_call.h"

#include "abi/limits.h"
#include "vm/interpreter.h"
#include "vm/prepare.h"

namespace portolan::vm {

TailTarget tail_target(helper::Run& run, std::uint64_t map, std::uint32_t index) {
  if (run.tail_calls >= abi::kMaxTailCalls) return {};
  map::ProgramView* const view = reinterpret_cast<map::Map*>(map)->program_at(index);
  if (view == nullptr) return {};
  const auto target = executable_of(static_cast<verifier::Program&>(*view));
  // The map's region is outside data: whatever it says, contexts must be of one kind.
  if (!target || static_cast<std::uint32_t>((*target)->type()) != run.program_type) return {};
  // How large its buffers are was compared where this run's first program was attached, not for this one.
  if ((*target)->buffer_bytes().any()) return {};
  ++run.tail_calls;
  return {view, *target};
}

jit::TailTarget native_tail_call(helper::Run& run, std::uint64_t context, std::uint64_t map,
                                 std::uint64_t index) {
  const auto place = static_cast<std::uint32_t>(index);
  const auto [view, target] = tail_target(run, map, place);
  if (target == nullptr) return {nullptr, 0};
  if (target->native() != nullptr) {
    const void* const code = target->native()->entry();
    reinterpret_cast<map::Map*>(map)->note_code(place, *view, run.program_type, code);
    return {code, context};
  }
  map::ProgramInvoker* const caller = run.program;
  Execution<NativeMemory> execution(*target, run, {});
  const std::uint64_t result = execution.run_on(context);
  run.program = caller;
  return jit::returning(result);
}

}  // namespace portolan::vm
