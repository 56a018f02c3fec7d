// SPDX-License-Identifier: Apache-2.0
// Sections of a program in which nothing may sleep: RCU read locks, preemption and interrupts disabled. Each
// begins and ends by a call, and must have ended before the program does. Interrupts are restored in the
// reverse order, each from the word of stack that their state was saved in.
#include "verifier/walk.h"

namespace portolan::verifier {

using helper::Kfunc;
using helper::KfuncId;

// As the log names it; nullptr: none is open.
const char* Walk::open_section() const {
  const Sections& sections = state_.sections;
  if (sections.rcu) return "rcu_read_lock";
  if (sections.preempt != 0) return "non-preemptible";
  return sections.irqs.empty() ? nullptr : "IRQ-disabled";
}

Result<void> Walk::check_sections(const Kfunc& kfunc) {
  Sections& sections = state_.sections;
  switch (kfunc.id) {
    case KfuncId::rcu_read_lock:
      if (sections.rcu) return refuse(EINVAL, "nested rcu read lock (kernel function {})", kfunc.name);
      sections.rcu = true;
      return {};
    case KfuncId::rcu_read_unlock:
      if (!sections.rcu) return refuse(EINVAL, "unmatched rcu read unlock (kernel function {})", kfunc.name);
      sections.rcu = false;
      return {};
    case KfuncId::preempt_disable:
      ++sections.preempt;
      return {};
    case KfuncId::preempt_enable:
      if (sections.preempt == 0)
        return refuse(EINVAL, "unmatched attempt to enable preemption (kernel function {})", kfunc.name);
      --sections.preempt;
      return {};
    default:
      if (const char* section = open_section(); section != nullptr && kfunc.might_sleep)
        return refuse(EACCES, "kernel func {} is sleepable within {} region", kfunc.name, section);
      return {};
  }
}

Result<void> Walk::check_irq_flags(unsigned number, const Kfunc& kfunc) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kStack)
    return refuse(EINVAL, "arg#{} doesn't point to an irq flag on stack", number - 1);
  const std::size_t slot = TRY(slot_of_object(number, "irq_flag", 1));
  if (kfunc.id == KfuncId::local_irq_save) return save_irq_flags(number, slot);
  Frame& frame = frame_of(reg);
  if (slot >= frame.stack.size() || frame.stack[slot].bytes[0] != Byte::kIrqFlags)
    return refuse(EINVAL, "expected an initialized irq flag as arg#{}", number - 1);
  auto& irqs = state_.sections.irqs;
  if (irqs.empty() || irqs.back().id != frame.stack[slot].spilled.reference)
    return refuse(EACCES, "cannot restore irq state out of order, expected id={} acquired at insn_idx={}",
                  irqs.empty() ? 0 : irqs.back().id, irqs.empty() ? 0 : irqs.back().insn);
  irqs.pop_back();
  frame.stack[slot] = StackSlot{};
  return {};
}

Result<void> Walk::save_irq_flags(unsigned number, std::size_t slot) {
  const RegState reg = state_.reg(number);
  Frame& frame = frame_of(reg);
  if (slot < frame.stack.size() && frame.stack[slot].bytes[0] == Byte::kIrqFlags)
    return refuse(EINVAL, "expected uninitialized irq flag as arg#{}", number - 1);
  TRY(check_stack_bounds(number, reg, 0, 8, Access::kWrite));
  const auto at = -8 * static_cast<std::int64_t>(slot + 1);
  TRY(forget_stack(reg, at, at + 8, false));
  frame.stack[slot].bytes.fill(Byte::kIrqFlags);
  frame.stack[slot].spilled = RegState::pointer(RegType::kIrqFlags);
  frame.stack[slot].spilled.reference = new_id();
  state_.sections.irqs.push_back({frame.stack[slot].spilled.reference, at_, state_.callbacks()});
  return {};
}

}  // namespace portolan::verifier
