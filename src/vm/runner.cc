// SPDX-License-Identifier: Apache-2.0
#include "vm/runner.h"

#include "base/clock.h"
#include "vm/interpreter.h"
#include "vm/prepare.h"

namespace portolan::vm {

Result<Runner> Runner::create(object::Runtime& runtime, helper::SystemCalls* system) {
  const sync::Actor actor = TRY(runtime.actor());
  return Runner(runtime, actor, system);
}
Runner::Runner(object::Runtime& runtime, const sync::Actor& actor, helper::SystemCalls* system)
    : runtime_(&runtime), actor_(actor), system_(system), cpu_(runtime.vcpus().lease(actor)) {}
Runner::Runner(Runner&& other) noexcept
    : runtime_(std::exchange(other.runtime_, nullptr)),
      actor_(other.actor_),
      system_(other.system_),
      cpu_(other.cpu_) {}
Runner::~Runner() {
  if (runtime_ != nullptr) runtime_->vcpus().release(actor_, cpu_);
}

std::uint64_t Runner::run_inside(const Executable& executable, std::uint32_t program_id, void* context,
                                 const helper::Attachment* attachment) {
  helper::Run run{.runtime = *runtime_,
                  .actor = actor_,
                  .cpu = cpu_,
                  .program = nullptr,
                  .context = context,
                  .program_type = static_cast<std::uint32_t>(executable.type()),
                  .program_id = program_id,
                  .system = system_,
                  .attachment = attachment,
                  .frame = __builtin_frame_address(0)};
  return executable.native() != nullptr ? jit::NativeRun(run).run(*executable.native())
                                        : Execution<NativeMemory>(executable, run, {}).run();
}

Result<std::uint32_t> bpf_prog_run(Runner& runner, verifier::Program& program, void* context, bool counts) {
  const Executable* executable = TRY(executable_of(program));
  const std::uint64_t begin = counts ? monotonic_ns() : 0;
  const auto result = static_cast<std::uint32_t>(runner.run(*executable, program.id(), context));
  if (counts) program.count_runs(1, monotonic_ns() - begin);
  return result;
}

}  // namespace portolan::vm
