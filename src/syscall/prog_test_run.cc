// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "hook/hook.h"
#include "sync/call_epoch.h"
#include "syscall/program_system.h"
#include "syscall/test_run.h"
#include "vm/prepare.h"

namespace portolan::syscall {
namespace {

// Runs that take less together leave the vCPU together, too.
constexpr std::uint64_t kShortNs = 50'000;

// One that the shim has put off until this call is over.
bool signal_is_pending() { return sync::this_thread_epoch->signals_put_off.load_relaxed() != 0; }

Result<long> not_run(const TestRun&) { return fail(kEnotsupp); }

}  // namespace

Result<long> prog_test_run(const Call& call) {
  const abi::TestAttr& attr = call.attr.test;
  if ((attr.ctx_size_in == 0) != (attr.ctx_in == 0)) return fail(EINVAL);
  if ((attr.ctx_size_out == 0) != (attr.ctx_out == 0)) return fail(EINVAL);
  const object::Target target = TRY(call.target(attr.prog_fd, object::Kind::kProg));
  auto& program = static_cast<verifier::Program&>(*target.view);
  hook::Hook::look_after_functions(program);
  const TestRun test(call, program);
  switch (static_cast<abi::ProgType>(program.attributes().type)) {
#define PROG_TYPE(name, type, major, minor, test_run, note) \
  case abi::ProgType::type:                                 \
    return test_run(test);
#define PROG_TYPE_NOT_HERE(name, type, major, minor, note) case abi::ProgType::type:
#include "syscall/prog_types.def"
#undef PROG_TYPE
#undef PROG_TYPE_NOT_HERE
    case abi::ProgType::kUnspec:
      break;
  }
  return fail(EINVAL);  // what another process wrote into the region
}

Result<TestRun::Outcome> TestRun::run(void* context, Next next) const {
  const bool counts = call.runtime.statistics_are_on();
  ProgramSystem system(call.runtime, call.caller);
  const vm::Executable* executable = TRY(vm::executable_of(program));
  vm::Runner runner(call.runtime, TRY(call.runtime.actor()), &system);
  const std::uint32_t repeat = std::max(attr.repeat, 1u);
  std::uint64_t result = 0;
  const std::uint64_t begin = monotonic_ns();
  std::uint64_t now = begin;
  for (std::uint32_t done = 0, at_once = 1; done < repeat;) {
    const vm::Runner::Inside inside(runner);
    for (const std::uint32_t end = done + std::min(repeat - done, at_once); done < end; ++done) {
      if (done != 0 && signal_is_pending()) return fail(EINTR);
      result = runner.run_inside(*executable, program.id(), next != nullptr ? next(context, result) : context,
                                 nullptr);
    }
    const std::uint64_t before = std::exchange(now, monotonic_ns());
    at_once = now - before < kShortNs ? std::min(2 * at_once, vm::kRunsAtOnce) : 1;
  }
  const std::uint64_t spent = now - begin;
  if (counts) program.count_runs(repeat, spent);
  return Outcome{static_cast<std::uint32_t>(result),
                 static_cast<std::uint32_t>(std::min<std::uint64_t>(spent / repeat, UINT32_MAX))};
}

Result<std::uint32_t> TestRun::run_once(void* context) const {
  const bool counts = call.runtime.statistics_are_on();
  ProgramSystem system(call.runtime, call.caller);
  vm::Runner runner(call.runtime, TRY(call.runtime.actor()), &system);
  return vm::bpf_prog_run(runner, program, context, counts);
}

Result<void> TestRun::finish(const std::byte* data, std::uint32_t size, const Outcome& outcome) const {
  const std::uint32_t room = attr.data_size_out == 0 ? size : attr.data_size_out;
  if (attr.data_out != 0) TRY(call.caller.copy_out(attr.data_out, data, std::min(size, room)));
  TRY(call.put(offsetof(abi::TestAttr, data_size_out), size));
  TRY(call.put(offsetof(abi::TestAttr, retval), outcome.result));
  TRY(call.put(offsetof(abi::TestAttr, duration), outcome.duration_ns));
  if (size > room) return fail(ENOSPC);
  return {};
}

}  // namespace portolan::syscall
