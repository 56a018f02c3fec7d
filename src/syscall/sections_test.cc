// SPDX-License-Identifier: Apache-2.0
// RCU read locks, and preemption and interrupts disabled: which calls pair, and what may not stand between.
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr std::int32_t kCopyFromUser = 148;

class SectionsOfPrograms : public Kfuncs {
 protected:
  Code lock() const { return {kfunc("bpf_rcu_read_lock")}; }
  Code unlock() const { return {kfunc("bpf_rcu_read_unlock")}; }
  Code disable() const { return {kfunc("bpf_preempt_disable")}; }
  Code enable() const { return {kfunc("bpf_preempt_enable")}; }
  Code saved(std::int32_t at) const { return stack_at(r1, at) + Code{kfunc("bpf_local_irq_save")}; }
  Code restored(std::int32_t at) const { return stack_at(r1, at) + Code{kfunc("bpf_local_irq_restore")}; }
};

TEST_F(SectionsOfPrograms, each_begins_and_ends) {
  constexpr const char* kEnd = "BPF_EXIT instruction in main prog cannot be used inside ";
  const std::string rcu = std::string(kEnd) + "bpf_rcu_read_lock-ed region",
                    preempt = std::string(kEnd) + "bpf_preempt_disable-ed region",
                    irq = std::string(kEnd) + "bpf_local_irq_save-ed region";
  expect({
      {"RCU", kFilter, lock() + unlock() + lock() + unlock() + kZero, 0, ""},
      {"RCU left open", kFilter, lock() + kZero, EINVAL, rcu.c_str()},
      {"RCU twice", kFilter, lock() + lock() + unlock() + unlock() + kZero, EINVAL,
       "nested rcu read lock (kernel function bpf_rcu_read_lock)"},
      {"RCU only ended", kFilter, unlock() + kZero, EINVAL,
       "unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)"},
      {"preemption, twice", kFilter, disable() + disable() + enable() + enable() + kZero, 0, ""},
      {"preemption left open", kFilter, disable() + disable() + enable() + kZero, EINVAL, preempt.c_str()},
      {"preemption only enabled", kFilter, enable() + kZero, EINVAL,
       "unmatched attempt to enable preemption (kernel function bpf_preempt_enable)"},
      {"on one path only", kFilter,
       Code{ask(kRandom), if_equal(r0, 0, 1)} + lock() + Code{ask(kRandom), if_equal(r0, 0, 1)} + unlock() +
           kZero,
       EINVAL, rcu.c_str()},
      {"interrupts left disabled", kFilter, saved(-8) + kZero, EINVAL, irq.c_str()},
      {"a tail call inside", kFilter,
       Code{move(r6, r1)} + lock() + Code{move(r1, r6), map_of(r2), kRest, mov(r3, 0), ask(kTailCall)} +
           kZero,
       EINVAL, "expected prog array map for tail call"},
  });
}

TEST_F(SectionsOfPrograms, interrupts_are_restored_in_reverse_order) {
  expect({
      {"one in the other", kFilter, saved(-8) + saved(-16) + restored(-16) + restored(-8) + kZero, 0, ""},
      {"crosswise", kFilter, saved(-8) + saved(-16) + restored(-8) + restored(-16) + kZero, EACCES,
       "cannot restore irq state out of order, expected id=2 acquired at insn_idx=5"},
      {"twice in the same place", kFilter, saved(-8) + saved(-8) + kZero, EINVAL,
       "expected uninitialized irq flag as arg#0"},
      {"from nowhere", kFilter, restored(-8) + kZero, EINVAL, "expected an initialized irq flag as arg#0"},
      {"after a write", kFilter, saved(-8) + Code{put(r10, -8, 0)} + restored(-8) + kZero, EINVAL,
       "expected an initialized irq flag as arg#0"},
      {"read", kFilter, saved(-8) + Code{load(8, r0, r10, -8)} + restored(-8) + kZero, EACCES,
       "invalid read from stack off -8+0 size 8"},
      {"not on the stack", kFilter, Code{kfunc("bpf_local_irq_save")} + kZero, EINVAL,
       "arg#0 doesn't point to an irq flag on stack"},
  });
}

TEST_F(SectionsOfPrograms, they_do_nothing_to_a_run) {
  EXPECT_EQ(run(lock() + disable() + saved(-8) + Code{mov(r6, 7)} + restored(-8) + enable() + unlock() +
                Code{move(r0, r6), kExit}),
            7u);
}

}  // namespace
}  // namespace portolan::syscall::verdicts
