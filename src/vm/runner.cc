// SPDX-License-Identifier: Apache-2.0
#include "vm/runner.h"

#include "base/clock.h"
#include "vm/interpreter.h"
#include "vm/prepare.h"

namespace portolan::vm {

Result<Runner> Runner::create(object::Runtime& runtime, helper::SystemCalls* system) {
  const sync::Actor actor = TRY(runtime.actor());
  return Runner(runtime, actor, system, runtime.vcpus().lease(actor));
}
Result<Runner> Runner::create_on(object::Runtime& runtime, std::uint32_t cpu) {
  const sync::Actor actor = TRY(runtime.actor());
  runtime.vcpus().lease_one(actor, cpu);
  return Runner(runtime, actor, nullptr, cpu);
}
Runner::Runner(object::Runtime& runtime, const sync::Actor& actor, helper::SystemCalls* system,
               std::uint32_t cpu)
    : runtime_(&runtime), actor_(actor), system_(system), cpu_(cpu), slot_(&runtime.vcpus().slots()[cpu]) {}
Runner::Runner(Runner&& other) noexcept
    : runtime_(std::exchange(other.runtime_, nullptr)),
      actor_(other.actor_),
      system_(other.system_),
      cpu_(other.cpu_),
      slot_(other.slot_) {}
Runner::~Runner() {
  if (runtime_ != nullptr) runtime_->vcpus().release(actor_, cpu_);
}

[[gnu::always_inline]] inline helper::Run Runner::new_run(const Executable& executable,
                                                          std::uint32_t program_id, void* context,
                                                          const helper::Attachment* attachment) const {
  helper::Run run(*runtime_, actor_, cpu_, context, static_cast<std::uint32_t>(executable.type()),
                  program_id);
  run.system = system_;
  run.attachment = attachment;
  run.frame = __builtin_frame_address(0);
  return run;
}

namespace {

// The stack of the interpreter, which machine code has no use for.
[[gnu::noinline]] std::uint64_t interpret(const Executable& executable, helper::Run& run) {
  return Execution<NativeMemory>(executable, run, {}).run();
}

}  // namespace

std::uint64_t Runner::run_inside(const Executable& executable, std::uint32_t program_id, void* context,
                                 const helper::Attachment* attachment) {
  helper::Run run = new_run(executable, program_id, context, attachment);
  return executable.native() != nullptr ? jit::NativeRun(run).run(*executable.native())
                                        : interpret(executable, run);
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
  helper::Run run(outer.runtime, outer.actor, outer.cpu, context,
                  static_cast<std::uint32_t>(executable.type()), program_id);
  run.system = outer.system;
  run.attachment = &attachment;
  run.frame = outer.frame;
  return executable.native() != nullptr ? jit::NativeRun(run).run(*executable.native())
                                        : interpret(executable, run);
}

void Runner::call_back(const Executable& executable, const ds::TimerTable::Due& timer, map::Map& map,
                       const std::byte* key, std::byte* value) {
  helper::Run run = new_run(executable, timer.callback.program, nullptr, nullptr);
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
  Runner runner = TRY(Runner::create(runtime, nullptr));
  return std::unique_ptr<Burst>(new Burst(runtime, std::move(runner)));
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
