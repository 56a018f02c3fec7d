// SPDX-License-Identifier: Apache-2.0
#include "vm/runner.h"

#include "base/clock.h"
#include "vm/interpreter.h"
#include "vm/prepare.h"

namespace portolan::vm {

Runner::Runner(object::Runtime& runtime, const sync::Actor& actor, helper::SystemCalls* system,
               std::optional<std::uint32_t> vcpu)
    : run_(runtime, actor, vcpu ? *vcpu : runtime.vcpus().lease(actor), system),
      native_(run_),
      slot_(runtime.vcpus().slots()[run_.cpu]) {
  if (vcpu) runtime.vcpus().lease_one(actor, *vcpu);
}

namespace {

// The stack of the interpreter, which machine code has no use for.
[[gnu::noinline]] std::uint64_t interpret(const Executable& executable, helper::Run& run) {
  return Execution<NativeMemory>(executable, run, {}).run();
}

std::uint64_t run_by_itself(helper::Run& run, const Executable& executable) {
  return executable.native() != nullptr ? jit::NativeRun(run).run(*executable.native())
                                        : interpret(executable, run);
}

}  // namespace

std::uint64_t Runner::run_inside(const Executable& executable, std::uint32_t program_id, void* context,
                                 const helper::Attachment* attachment) {
  if (is_running_ || executable.native() == nullptr) [[unlikely]]
    return run_aside(executable, program_id, context, attachment, __builtin_frame_address(0));
  is_running_ = true;
  run_.begin(static_cast<std::uint32_t>(executable.type()), program_id, context, attachment,
             __builtin_frame_address(0));
  const std::uint64_t result = native_.run(*executable.native());
  is_running_ = false;
  return result;
}

std::uint64_t Runner::run_aside(const Executable& executable, std::uint32_t program_id, void* context,
                                const helper::Attachment* attachment, const void* frame) {
  helper::Run run(run_.runtime, run_.actor, run_.cpu, run_.system);
  run.begin(static_cast<std::uint32_t>(executable.type()), program_id, context, attachment, frame);
  return run_by_itself(run, executable);
}

std::uint64_t Runner::run_counted(const Executable& executable, verifier::Program& program, void* context,
                                  const helper::Attachment* attachment) {
  const std::uint64_t begin = monotonic_ns();
  const std::uint64_t result = run_inside(executable, program.id(), context, attachment);
  program.count_runs(1, monotonic_ns() - begin);
  return result;
}

std::uint64_t run_beside(helper::Run& outer, const Executable& executable, std::uint32_t program_id,
                         void* context, const helper::Attachment& attachment) {
  helper::Run run(outer.runtime, outer.actor, outer.cpu, outer.system);
  run.begin(static_cast<std::uint32_t>(executable.type()), program_id, context, &attachment, outer.frame);
  return run_by_itself(run, executable);
}

void Runner::call_back(const Executable& executable, const ds::TimerTable::Due& timer, map::Map& map,
                       const std::byte* key, std::byte* value) {
  helper::Run run(run_.runtime, run_.actor, run_.cpu, run_.system);
  run.begin(static_cast<std::uint32_t>(executable.type()), timer.callback.program, nullptr, nullptr,
            __builtin_frame_address(0));
  if (timer.clock != ds::TimerClock::kAtOnce) run.timer = timer.name;
  const auto map_word = reinterpret_cast<std::uintptr_t>(&map),
             key_word = reinterpret_cast<std::uintptr_t>(key),
             value_word = reinterpret_cast<std::uintptr_t>(value);
  const std::uint32_t function = timer.callback.function;
  const Inside inside(*this);
  if (const jit::Code* code = executable.native(); code != nullptr)
    jit::NativeRun(run).call_back(reinterpret_cast<std::uintptr_t>(code->function(function)), map_word,
                                  key_word, value_word, 0, 0);
  else
    Execution<NativeMemory>(executable, run, {})
        .call(executable.function_at(function), map_word, key_word, value_word);
}

thread_local constinit Burst* Burst::youngest = nullptr;

Result<std::unique_ptr<Burst>> Burst::begin(object::Runtime& runtime) {
  sync::pass_barriers_of_others();
  const sync::Actor actor = TRY(runtime.actor());
  return std::unique_ptr<Burst>(new Burst(runtime, actor));
}

// Not always the youngest goes first.
Burst::~Burst() {
  Burst** at = &youngest;
  while (*at != this) at = &(*at)->older_;
  *at = older_;
}

Result<std::uint32_t> bpf_prog_run(Runner& runner, verifier::Program& program, void* context, bool counts) {
  const Executable* executable = TRY(executable_of(program));
  const Runner::Inside inside(runner);
  return static_cast<std::uint32_t>(counts ? runner.run_counted(*executable, program, context, nullptr)
                                           : runner.run_inside(*executable, program.id(), context, nullptr));
}

}  // namespace portolan::vm
