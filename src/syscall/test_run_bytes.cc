// SPDX-License-Identifier: Apache-2.0
// Programs whose context is bytes of the caller's.
#include <sched.h>

#include "abi/prog_flags.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kMostSyscallBytes = UINT16_MAX, kMostTracepointBytes = 12 * 8;

Result<std::vector<std::uint64_t>> copy_context(const TestRun& test, std::uint32_t most) {
  const std::uint32_t size = test.attr.ctx_size_in;
  if (size < test.program.attributes().max_context_offset || size > most) return fail(EINVAL);
  std::vector<std::uint64_t> words(round_up(size, 8) / 8);
  TRY(test.call.caller.copy_in(words.data(), test.attr.ctx_in, size));
  return words;
}

// This thread on one CPU for as long as it lives, so that its programs run on the vCPU of that number.
class OnCpu {
 public:
  static Result<OnCpu> go(const object::Runtime& runtime, std::uint32_t cpu) {
    OnCpu there;
    if (cpu >= runtime.possible_cpus() || cpu >= CPU_SETSIZE) return fail(ENXIO);
    if (sys::call(SYS_sched_getaffinity, 0, sizeof there.before_, std::bit_cast<long>(&there.before_)) < 0)
      return fail(ENXIO);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sys::call(SYS_sched_setaffinity, 0, sizeof one, std::bit_cast<long>(&one)) < 0) return fail(ENXIO);
    there.moved_ = true;
    return there;
  }
  OnCpu(OnCpu&& other) noexcept : before_(other.before_), moved_(std::exchange(other.moved_, false)) {}
  OnCpu& operator=(OnCpu&&) = delete;
  ~OnCpu() {
    if (moved_) (void)sys::call(SYS_sched_setaffinity, 0, sizeof before_, std::bit_cast<long>(&before_));
  }

 private:
  OnCpu() = default;
  cpu_set_t before_;
  bool moved_ = false;
};

}  // namespace

Result<long> test_run_syscall(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.data_in != 0 || attr.data_out != 0 || attr.ctx_out != 0 || attr.duration != 0 ||
      attr.repeat != 0 || attr.flags != 0 || attr.batch_size != 0)
    return fail(EINVAL);
  std::vector<std::uint64_t> context = TRY(copy_context(test, kMostSyscallBytes));
  const std::uint32_t result = TRY(test.run_once(context.data()));
  TRY(test.call.put(offsetof(abi::TestAttr, retval), result));
  if (attr.ctx_size_in != 0) TRY(test.call.caller.copy_out(attr.ctx_in, context.data(), attr.ctx_size_in));
  return 0;
}

Result<long> test_run_raw_tracepoint(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.data_in != 0 || attr.data_out != 0 || attr.ctx_out != 0 || attr.duration != 0 ||
      attr.repeat != 0 || attr.batch_size != 0)
    return fail(EINVAL);
  if (attr.ctx_size_in < test.program.attributes().max_context_offset ||
      attr.ctx_size_in > kMostTracepointBytes)
    return fail(EINVAL);
  const bool chooses_cpu = (attr.flags & abi::test_flag::kRunOnCpu) != 0;
  if (!chooses_cpu && attr.cpu != 0) return fail(EINVAL);
  std::vector<std::uint64_t> context = TRY(copy_context(test, kMostTracepointBytes));
  const auto run = [&] { return test.run_once(context.data()); };
  std::uint32_t result;
  if (chooses_cpu) {
    const OnCpu there = TRY(OnCpu::go(test.call.runtime, attr.cpu));
    result = TRY(run());
  } else {
    result = TRY(run());
  }
  TRY(test.call.put(offsetof(abi::TestAttr, retval), result));
  return 0;
}

}  // namespace portolan::syscall
