// SPDX-License-Identifier: Apache-2.0
// Dynptrs: two words of stack that say where memory is, and how much, when the program runs. Programs never
// see the words, so bytes of stack that hold one are like no others: only helpers may touch them. A callback
// may also be given the address of one that is not on its stack.
#include "verifier/helper_ids.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using helper::Arg;
namespace arg_flag = helper::arg_flag;

std::int64_t at_of(const RegState& reg) { return static_cast<std::int64_t>(reg.bounds.value()) + reg.off; }

// The slot of its lower half, of one half's.
std::size_t first_slot(const Frame& frame, std::size_t slot) {
  return frame.stack[slot].spilled.off == 0 ? slot : slot + 1;
}

}  // namespace

// The slot where the argument points; nullptr: there is none yet. Slots grow downwards, so that the other
// half is the slot before it.
Result<StackSlot*> Walk::dynptr_at(unsigned number) {
  const RegState& reg = state_.reg(number);
  if (!reg.bounds.is_constant()) return refuse(EINVAL, "dynptr has to be at a constant offset");
  const std::int64_t at = at_of(reg);
  if (at % 8 != 0) return refuse(EINVAL, "cannot pass in dynptr at an offset={}", at);
  if (at < -std::int64_t{isa::kStackBytes} || at > -16)
    return refuse(EINVAL, "cannot pass in dynptr at an offset={}", at);
  Frame& frame = frame_of(reg);
  const auto slot = static_cast<std::size_t>(-at / 8 - 1);
  return slot < frame.stack.size() ? &frame.stack[slot] : nullptr;
}

Result<void> Walk::check_dynptr(unsigned number, const helper::Argument& argument, CallMeta& meta) {
  const bool makes = (argument.flags & arg_flag::kUninit) != 0;
  const RegState& reg = state_.reg(number);
  if (makes) {
    if (reg.type != RegType::kStack) return refuse(EINVAL, "Dynptr has to be an uninitialized dynptr");
    const bool is_record = meta.prototype->id == kRingbufReserveDynptr;
    if (!dynptr_at(number)) return refuse(EINVAL, "Dynptr has to be an uninitialized dynptr");
    return make_dynptr(number, is_record ? DynptrKind::kRingbuf : DynptrKind::kLocal, 0);
  }
  const bool releases = (argument.flags & arg_flag::kReleases) != 0;
  if (reg.type == RegType::kDynptr) {
    if (releases) return refuse(EINVAL, "cannot release unowned const bpf_dynptr");
    TRY(check_fixed(reg, number));
    meta.dynptr = reg;
    return {};
  }
  const Result<StackSlot*> found = dynptr_at(number);
  const StackSlot* const slot = found ? *found : nullptr;
  if (releases && (slot == nullptr || !slot->is_dynptr() || slot->spilled.reference == 0))
    return refuse(EINVAL, "arg {} is an unacquired reference", number);
  if (slot == nullptr || !slot->is_dynptr() || slot->spilled.off != 0)
    return refuse(EINVAL, "Expected an initialized dynptr as arg #{}", number - 1);
  meta.dynptr = slot->spilled;
  read_slots(reg, at_of(reg), at_of(reg) + 16);
  if (!releases) return {};
  if (slot->spilled.mem_size != static_cast<std::uint32_t>(DynptrKind::kRingbuf))
    return refuse(EINVAL, "Expected a dynptr of type ringbuf as arg #{}", number - 1);
  return check_is_ours(slot->spilled.reference, meta);
}

// Whatever was there is gone; what is there afterwards is a dynptr, also if the call fails. `reference`: of
// the record of which it is another dynptr.
Result<void> Walk::make_dynptr(unsigned number, DynptrKind kind, std::uint32_t reference) {
  (void)TRY(dynptr_at(number));
  const RegState reg = state_.reg(number);
  const std::int64_t at = at_of(reg);
  need_stack(reg, at);
  note_unwritten(reg, at, at + 16);
  TRY(forget_stack(reg, at, at + 16, false));
  RegState half = RegState::pointer(RegType::kDynptr);
  half.id = new_id();
  half.mem_size = static_cast<std::uint32_t>(kind);
  half.reference = reference;
  if (kind == DynptrKind::kRingbuf && reference == 0) {
    half.reference = new_id();
    state_.references.push_back({half.reference, at_, state_.callbacks()});
  }
  Frame& frame = frame_of(reg);
  const auto slot = static_cast<std::size_t>(-at / 8 - 1);
  for (const std::size_t one : {slot, slot - 1}) {
    frame.stack[one].bytes.fill(Byte::kDynptr);
    frame.stack[one].spilled = half;
    half.off = 8;
  }
  return {};
}

// Both halves become plain bytes, and its memory cannot be reached any more.
void Walk::drop_dynptr(Frame& frame, std::size_t slot) {
  const std::size_t first = first_slot(frame, slot);
  const std::uint32_t id = frame.stack[first].spilled.id;
  for (const std::size_t one : {first, first - 1}) {
    frame.stack[one].bytes.fill(Byte::kMisc);
    frame.stack[one].spilled = RegState{};
  }
  state_.for_each_reg([id](RegState& reg) {
    if (reg.type == RegType::kMem && reg.dynptr == id) reg = RegState::unknown();
  });
}

// Something else is written over it.
Result<void> Walk::destroy_dynptr(Frame& frame, std::size_t slot) {
  if (frame.stack[slot].spilled.reference != 0) return refuse(EINVAL, "cannot overwrite referenced dynptr");
  drop_dynptr(frame, slot);
  return {};
}

void Walk::drop_dynptrs_of(std::uint32_t reference) {
  for (Frame& frame : state_.frames)
    for (std::size_t slot = 0; slot < frame.stack.size(); ++slot)
      if (frame.stack[slot].is_dynptr() && frame.stack[slot].spilled.reference == reference)
        drop_dynptr(frame, slot);
}

// A helper that writes there does not tell how far.
Result<void> Walk::check_no_dynptr(const RegState& reg, std::int64_t least, std::int64_t end) {
  const Frame& frame = frame_of(reg);
  for (std::int64_t at = least; at < end && at < 0; ++at) {
    const auto slot = static_cast<std::size_t>((-at - 1) / 8);
    if (slot < frame.stack.size() && frame.stack[slot].is_dynptr())
      return refuse(EACCES, "potential write to dynptr at off={} disallowed", at);
  }
  return {};
}

}  // namespace portolan::verifier
