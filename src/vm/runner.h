// SPDX-License-Identifier: Apache-2.0
// Runs programs: on a vCPU that this thread leases for as long as a Runner lives.
#pragma once
#include <memory>
#include <optional>

#include "sync/call_epoch.h"
#include "vm/executable.h"

namespace portolan::vm {

// How many short runs follow each other Inside, so that who waits for quiescence does not wait for long.
inline constexpr std::uint32_t kRunsAtOnce = 64;

class Runner {
 public:
  // Waits until a vCPU is free, but for one that this thread has already (a run inside a run has the same).
  // `system` nullptr: programs find no bpf_sys_bpf. With `vcpu`: on that one and no other, and the thread has
  // none so far. Make it inside a CallEpoch that lasts as long as it.
  Runner(object::Runtime& runtime, const sync::Actor& actor, helper::SystemCalls* system,
         std::optional<std::uint32_t> vcpu = {});
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() { run_.runtime.vcpus().release(run_.actor, run_.cpu); }

  std::uint32_t cpu() const { return run_.cpu; }
  // In scope the vCPU counts as running programs (sync/quiescence.h).
  class Inside {
   public:
    explicit Inside(const Runner& runner) : slot_(runner.slot_) { sync::VcpuTable::enter(slot_); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { sync::VcpuTable::leave(slot_); }

   private:
    sync::VcpuSlot& slot_;
  };
  // One run on `context` (helper/packet.h, or bytes) for one who is Inside; R0. `attachment` nullptr: the
  // program runs at no hook.
  std::uint64_t run_inside(const Executable& executable, std::uint32_t program_id, void* context,
                           const helper::Attachment* attachment);
  // The same, counted as a run of that program (BPF_ENABLE_STATS).
  std::uint64_t run_counted(const Executable& executable, verifier::Program& program, void* context,
                            const helper::Attachment* attachment);
  // A timer's callback: the function of that number, which may_be_called_for() the map.
  void call_back(const Executable& executable, const ds::TimerTable::Due& timer, map::Map& map,
                 const std::byte* key, std::byte* value);

 private:
  std::uint64_t run_aside(const Executable& executable, std::uint32_t program_id, void* context,
                          const helper::Attachment* attachment, const void* frame);

  helper::Run run_;  // of one program after another
  jit::NativeRun native_;
  sync::VcpuSlot& slot_;
  bool is_running_ = false;  // run_ is in use: what runs meanwhile, in a signal handler, has its own
};

// One run of a program on what `outer`, which is going on, comes by; R0.
std::uint64_t run_beside(helper::Run& outer, const Executable& executable, std::uint32_t program_id,
                         void* context, const helper::Attachment& attachment);

// While one lives, this thread keeps its Runner, and with it the vCPU, for all runs that ask find() for it.
class Burst {
 public:
  static Result<std::unique_ptr<Burst>> begin(object::Runtime& runtime);
  Burst(const Burst&) = delete;
  Burst& operator=(const Burst&) = delete;
  ~Burst();  // on the thread that began it

  // Of the calling thread's, the youngest if it is of that runtime; nullptr.
  static Runner* find(const object::Runtime& runtime) {
    return youngest != nullptr && &youngest->runtime_ == &runtime ? &youngest->runner_ : nullptr;
  }

 private:
  Burst(object::Runtime& runtime, const sync::Actor& actor)
      : runtime_(runtime), runner_(runtime, actor, nullptr), older_(std::exchange(youngest, this)) {}
  static thread_local constinit Burst* youngest __attribute__((tls_model("initial-exec")));

  sync::CallEpoch epoch_;
  object::Runtime& runtime_;
  Runner runner_;
  Burst* older_;
};

// One run of a program of the runtime, counted if `counts` (BPF_ENABLE_STATS); R0's low half. What
// executable_of() says.
Result<std::uint32_t> bpf_prog_run(Runner& runner, verifier::Program& program, void* context, bool counts);

}  // namespace portolan::vm
