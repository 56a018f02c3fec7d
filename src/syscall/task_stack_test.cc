// SPDX-License-Identifier: Apache-2.0
// bpf_get_task_stack: of the task that runs the program, as bpf_get_stack.
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr std::int32_t kGetTaskStack = 141, kUserStack = 256;

class TaskStacks : public Kfuncs {
 protected:
  static Code stack_of_current(std::int32_t flags) {
    return Code{ask(kCurrentTaskBtf), move(r1, r0)} + stack_at(r2, -64) +
           Code{mov(r3, 64), mov(r4, flags), ask(kGetTaskStack)};
  }
};

TEST_F(TaskStacks, the_current_task_has_a_user_stack_and_no_other) {
  EXPECT_GE(run(stack_of_current(kUserStack) + Code{kExit}), 8u);
  EXPECT_EQ(run(stack_of_current(0) + Code{kExit}), static_cast<std::uint32_t>(-EFAULT));
  // Not less than one frame, and nothing is left of what was there.
  EXPECT_NE(run(stack_of_current(kUserStack) + Code{load(8, r0, r10, -64), {0x77, r0, 0, 12}, kExit}), 0u);
}

TEST_F(TaskStacks, only_tasks_have_one) {
  const Code end = stack_at(r2, -64) + Code{mov(r3, 64), mov(r4, 0), ask(kGetTaskStack)} + kZero;
  expect(Verdict{"a number", kFilter, Code{mov(r1, 8)} + end, EACCES,
                 "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_"});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
