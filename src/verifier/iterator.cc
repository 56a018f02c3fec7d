// SPDX-License-Identifier: Apache-2.0
// Open-coded iterators: words of stack that only three functions may touch. new makes one, which must be
// destroyed; next gives an element or NULL, after which there are no more. A program may call next as often
// as it likes: each call is followed on both ways, and a path that comes back to it with nothing new ends
// there.
#include "isa/insn.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using helper::IteratorKind;

std::int64_t at_of(const RegState& reg) { return static_cast<std::int64_t>(reg.bounds.value()) + reg.off; }

}  // namespace

// Of the first word of an object of so many words on the stack. Slots grow downwards: the next word is the
// slot before it.
Result<std::size_t> Walk::slot_of_object(unsigned number, const char* what, std::size_t words) {
  const RegState& reg = state_.reg(number);
  if (!reg.bounds.is_constant()) return refuse(EINVAL, "{} has to be at a constant offset", what);
  const std::int64_t at = at_of(reg);
  if (at % 8 != 0 || at > -static_cast<std::int64_t>(words * 8))
    return refuse(EINVAL, "cannot pass in {} at an offset={}", what, at);
  return static_cast<std::size_t>(-at / 8 - 1);
}

bool Walk::is_iterator_at(const RegState& reg, std::size_t slot, IteratorKind kind) const {
  const Frame& frame = state_.frames[reg.frame];
  if (slot >= frame.stack.size()) return false;
  std::int32_t off = 0;
  for (std::size_t word = 0; word < helper::bytes_of(kind) / 8; ++word, off += 8) {
    const StackSlot& one = frame.stack[slot - word];
    if (!one.is_iterator() || one.spilled.off != off || one.spilled.mem_size != static_cast<unsigned>(kind) ||
        one.spilled.reference != frame.stack[slot].spilled.reference)
      return false;
  }
  return true;
}

Result<void> Walk::check_iterator(unsigned number, const helper::Kfunc& kfunc, CallMeta& meta) {
  const IteratorKind kind = kfunc.args[number - 1].iterator;
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kStack)
    return refuse(EINVAL, "arg#{} expected pointer to an iterator on stack", number - 1);
  const std::size_t words = helper::bytes_of(kind) / 8;
  const std::size_t slot = TRY(slot_of_object(number, "iter", words));
  if (kfunc.is_new) return make_iterator(number, kind);
  if (!is_iterator_at(reg, slot, kind))
    return refuse(EINVAL, "expected an initialized iter_{} as arg #{}", helper::name_of(kind), number - 1);
  Frame& frame = frame_of(reg);
  read_slots(reg, at_of(reg), at_of(reg) + static_cast<std::int64_t>(words * 8));
  meta.iterator_frame = reg.frame;
  meta.iterator_slot = slot;
  meta.reference = frame.stack[slot].spilled.reference;
  if (!kfunc.is_destroy) return {};
  TRY(check_is_ours(meta.reference, meta));
  for (std::size_t word = 0; word < words; ++word) frame.stack[slot - word] = StackSlot{};
  return {};
}

Result<void> Walk::make_iterator(unsigned number, IteratorKind kind) {
  const RegState reg = state_.reg(number);
  const std::uint32_t bytes = helper::bytes_of(kind);
  const std::int64_t at = at_of(reg);
  Frame& frame = frame_of(reg);
  for (std::int64_t word = at; word < at + bytes; word += 8) {
    const auto slot = static_cast<std::size_t>(-word / 8 - 1);
    if (slot < frame.stack.size() && frame.stack[slot].is_iterator())
      return refuse(EINVAL, "expected uninitialized iter_{} as arg #{}", helper::name_of(kind), number - 1);
  }
  TRY(check_stack_bounds(number, reg, 0, bytes, Access::kWrite));
  TRY(forget_stack(reg, at, at + bytes, false));
  RegState word = RegState::pointer(RegType::kIterator);
  word.mem_size = static_cast<std::uint32_t>(kind);
  word.reference = new_id();
  state_.references.push_back({word.reference, at_, state_.callbacks()});
  for (; word.off < static_cast<std::int32_t>(bytes); word.off += 8) {
    StackSlot& slot = frame.stack[static_cast<std::size_t>(-(at + word.off) / 8 - 1)];
    slot.bytes.fill(Byte::kIterator);
    slot.spilled = word;
  }
  return {};
}

bool Walk::gives_next(std::uint32_t insn) const {
  const helper::Kfunc* const kfunc = facts_.insns[insn].kfunc;
  return kfunc != nullptr && kfunc->is_next;
}

bool Walk::has_next_to_give(unsigned number) const {
  const RegState& reg = state_.frame().regs[number];
  if (reg.type != RegType::kStack || !reg.bounds.is_constant() || at_of(reg) > -8) return false;
  const Frame& frame = state_.frames[reg.frame];
  const auto slot = static_cast<std::size_t>(-at_of(reg) / 8 - 1);
  return slot < frame.stack.size() && frame.stack[slot].is_iterator() &&
         !frame.stack[slot].spilled.is_drained;
}

// As process_iter_next_call. The way on which there is an element is put off; what differs there from the
// last time round, and has not mattered, may be anything, so that the rounds come to an end.
Result<void> Walk::give_next(const CallMeta& meta) {
  RegState& iterator = state_.frames[meta.iterator_frame].stack[meta.iterator_slot].spilled;
  if (!iterator.is_drained) {
    if (pending_.size() >= kMostPending) return too_many_jumps();
    State more = state_;
    more.reg(0).maybe_null = false;
    ++more.frames[meta.iterator_frame].stack[meta.iterator_slot].spilled.range;
    // This visit has become a checkpoint; the one before it lies behind that.
    widen_from_last_visit(more, at_, state_.parent->state.parent);
    push(std::move(more), at_ + 1);
    iterator.is_drained = true;
  }
  state_.reg(0) = RegState::number(0);
  return {};
}

}  // namespace portolan::verifier
