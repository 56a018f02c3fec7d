// SPDX-License-Identifier: Apache-2.0
// What the program is given to be given back, on every path, before it ends: records of ring buffers,
// sockets.
#include "verifier/walk.h"

namespace portolan::verifier {

// The very pointer that was given, to be given back.
Result<void> Walk::check_released(unsigned number, CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  if (reg.reference == 0)
    return refuse(EINVAL, "R{} must be referenced when passed to release function", number);
  if (reg.off != 0 || !reg.bounds.is_constant() || reg.bounds.value() != 0)
    return refuse(EINVAL, "R{} must have zero offset when passed to release func or trusted arg to kfunc",
                  number);
  return check_is_ours(reg.reference, meta);
}

// What was given to the caller of a callback is not the callback's to give back.
Result<void> Walk::check_is_ours(std::uint32_t reference, CallMeta& meta) {
  for (const Reference& one : state_.references)
    if (one.id == reference && one.callbacks != state_.callbacks())
      return refuse(EINVAL, "reference id={} of the caller cannot be released in a callback", one.id);
  meta.given_back = reference;
  return {};
}

// What still points there is a number like any other.
void Walk::give_back(std::uint32_t reference) {
  state_.drop_reference(reference);
  drop_dynptrs_of(reference);
  state_.for_each_reg([reference](RegState& reg) {
    if (reg.reference == reference) reg = RegState::unknown();
  });
}

// At an end of the program, or of a callback: what has been given here has been given back.
Result<void> Walk::check_given_back(const char* what) {
  bool is_missing = false;
  for (const Reference& one : state_.references) {
    if (one.callbacks != state_.callbacks()) continue;
    (void)refuse(0, "Unreleased reference id={} alloc_insn={}", one.id, one.insn);
    is_missing = true;
  }
  if (is_missing) return refuse(EINVAL, "{} would lead to reference leak", what);
  return {};
}

// At an end of the program: no section is left open, either.
Result<void> Walk::check_nothing_held(const char* what) {
  TRY(check_given_back(what));
  const Sections& sections = state_.sections;
  const char* const open = !sections.irqs.empty()  ? "bpf_local_irq_save"
                           : sections.rcu          ? "bpf_rcu_read_lock"
                           : sections.preempt != 0 ? "bpf_preempt_disable"
                                                   : nullptr;
  if (open != nullptr) return refuse(EINVAL, "{} cannot be used inside {}-ed region", what, open);
  return {};
}

// The result of the call must be given back.
void Walk::acquire(RegState& result) {
  result.id = result.reference = new_id();
  state_.references.push_back({result.reference, at_, state_.callbacks()});
}

}  // namespace portolan::verifier
