// SPDX-License-Identifier: Apache-2.0
#include "vm/tail_call.h"

#include "abi/limits.h"
#include "vm/interpreter.h"
#include "vm/prepare.h"

namespace portolan::vm {

const Executable* tail_target(helper::Run& run, std::uint64_t map, std::uint32_t index) {
  if (run.tail_calls >= abi::kMaxTailCalls) return nullptr;
  map::ProgramView* const view = reinterpret_cast<map::Map*>(map)->program_at(index);
  if (view == nullptr) return nullptr;
  const auto target = executable_of(static_cast<verifier::Program&>(*view));
  // The map's region is outside data: whatever it says, contexts must be of one kind.
  if (!target || static_cast<std::uint32_t>((*target)->type()) != run.program_type) return nullptr;
  ++run.tail_calls;
  return *target;
}

jit::TailTarget native_tail_call(helper::Run& run, std::uint64_t context, std::uint64_t map,
                                 std::uint64_t index) {
  const Executable* const target = tail_target(run, map, static_cast<std::uint32_t>(index));
  if (target == nullptr) return {nullptr, 0};
  if (target->native() != nullptr) return {target->native()->entry(), context};
  map::ProgramInvoker* const caller = run.program;
  Execution<NativeMemory> execution(*target, run, {});
  const std::uint64_t result = execution.run_on(context);
  run.program = caller;
  return jit::returning(result);
}

}  // namespace portolan::vm
