// SPDX-License-Identifier: Apache-2.0
// Jumps: which ways may be taken, and what is known on each of them.
#include <algorithm>

#include "isa/insn.h"
#include "verifier/rewrite.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using isa::Class;
using isa::Jump;

constexpr std::int32_t kMostPacketOffset = 0xffff;
// Whether the pointer is certainly none to nothing.
bool is_never_null(const RegState& reg) {
  if (reg.maybe_null) return false;
  if (reg.type == RegType::kKernelObject) return reg.trust == Trust::kTrusted;
  return reg.type == RegType::kMapValue || reg.type == RegType::kMapKey || reg.type == RegType::kMem ||
         reg.type == RegType::kMap || reg.is_socket();
}

// The packet reaches at least as far as this pointer, on the paths that led here.
void extend_range(State& state, const RegState& known, RegType type, bool beyond) {
  if (known.off < 0 || (known.off == 0 && beyond)) return;
  if (known.bounds.wide.umax > kMostPacketOffset ||
      known.bounds.wide.umax + static_cast<std::uint64_t>(known.off) > kMostPacketOffset)
    return;
  const std::int32_t range = known.off + (beyond ? 1 : 0);
  const std::uint32_t id = known.id;
  state.for_each_reg([&](RegState& reg) {
    if (reg.type == type && reg.id == id) reg.range = std::max(reg.range, range);
  });
}

Jump mirrored(Jump op) {
  switch (op) {
    case Jump::kJgt:
      return Jump::kJlt;
    case Jump::kJge:
      return Jump::kJle;
    case Jump::kJlt:
      return Jump::kJgt;
    case Jump::kJle:
      return Jump::kJge;
    default:
      return op;
  }
}

// Of `pointer op end`.
int foretell_end(Jump op, std::int32_t range) {
  switch (op) {
    case Jump::kJgt:
    case Jump::kJle:
      return range == kBeyondEnd ? op == Jump::kJgt : -1;
    case Jump::kJge:
    case Jump::kJlt:
      return range < 0 ? op == Jump::kJge : -1;
    default:
      return -1;
  }
}

}  // namespace

int Walk::foretell(const abi::Insn& insn, bool is_wide, const RegState& left, const RegState& right) const {
  const Jump op = isa::jump_of(insn);
  if (left.is_scalar() && right.is_scalar()) return branch_taken(op, is_wide, left.bounds, right.bounds);
  if (!is_wide) return -1;
  if (right.type == RegType::kPacketEnd && left.type == RegType::kPacket) return foretell_end(op, left.range);
  if (left.type == RegType::kPacketEnd && right.type == RegType::kPacket)
    return foretell_end(mirrored(op), right.range);
  if (left.is_pointer() && right.is_null() && is_never_null(left)) {
    if (op == Jump::kJeq) return 0;
    if (op == Jump::kJne) return 1;
  }
  return -1;
}

void Walk::copy_bounds_to_equals(State& state, const RegState& known) {
  if (known.id == 0) return;
  state.for_each_reg([&](RegState& reg) {
    if (!reg.is_scalar() || reg.id != known.id || &reg == &known) return;
    // A sum of 32 bits and one of 64 say nothing about each other.
    if (reg.sum_bits != 0 && known.sum_bits != 0 && reg.sum_bits != known.sum_bits) return;
    reg.bounds = known.bounds;
    if (reg.off != known.off) {
      const bool is_wide = reg.sum_bits != 32 && known.sum_bits != 32;
      const std::int64_t distance = std::int64_t{reg.off} - known.off;
      compute(isa::Alu::kAdd, is_wide, reg.bounds, Bounds::constant(static_cast<std::uint64_t>(distance)));
    }
    reg.from |= known.from;
  });
}

void Walk::settle_null(State& state, std::uint32_t id, bool is_null) {
  if (is_null) state.drop_reference(id);  // nothing was given
  state.for_each_reg([&](RegState& reg) {
    if (!reg.maybe_null || reg.id != id) return;
    if (is_null) {
      reg = RegState::number(0);
      return;
    }
    reg.maybe_null = false;
    // Of two inner maps nobody can tell that they are one, but of one lookup.
    if (reg.type == RegType::kMap && reg.map->has_timers()) reg.map_uid = reg.id;
    // Which lock is held is told by the id of the value that it lies in.
    if (reg.map == nullptr || !reg.map->has_field(map::FieldKind::kSpinLock)) reg.id = 0;
  });
}

void Walk::learn_packet_ranges(const abi::Insn& insn, State& fallen, State& jumped) const {
  if (!isa::by_register(insn) || isa::class_of(insn) != Class::kJmp) return;
  const RegState left = state_.frame().regs[insn.dst()], right = state_.frame().regs[insn.src()];
  const auto is_start = [](const RegState& reg) {
    return reg.type == RegType::kPacket && reg.off == 0 && reg.bounds.is_constant() &&
           reg.bounds.value() == 0 && reg.id == 0;
  };
  const auto is_end_of = [&](const RegState& one, const RegState& end) {
    return (one.type == RegType::kPacket && end.type == RegType::kPacketEnd) ||
           (one.type == RegType::kPacketMeta && is_start(end));
  };
  const bool is_mirrored = is_end_of(right, left);
  if (!is_mirrored && !is_end_of(left, right)) return;
  const RegState& pointer = is_mirrored ? right : left;
  const unsigned number = is_mirrored ? insn.src() : insn.dst();
  // On one side the packet reaches as far as the pointer, or farther; on the other it does not.
  const auto learn = [&](State& inside, State& outside, bool beyond) {
    extend_range(inside, pointer, pointer.type, beyond);
    RegState& reg = outside.reg(number);
    if (reg.type == RegType::kPacket) reg.range = beyond ? kAtEnd : kBeyondEnd;
  };
  switch (is_mirrored ? mirrored(isa::jump_of(insn)) : isa::jump_of(insn)) {
    case Jump::kJgt:
      return learn(fallen, jumped, false);
    case Jump::kJge:
      return learn(fallen, jumped, true);
    case Jump::kJlt:
      return learn(jumped, fallen, true);
    case Jump::kJle:
      return learn(jumped, fallen, false);
    default:
      return;
  }
}

Result<Walk::Next> Walk::jump(const abi::Insn& insn) {
  const Jump op = isa::jump_of(insn);
  const auto target = static_cast<std::uint32_t>(target_of(insn, at_));
  if (op == Jump::kJa) {
    at_ = target;
    return Next::kJumped;
  }
  const bool is_wide = isa::class_of(insn) == Class::kJmp, by_register = isa::by_register(insn);
  TRY(check_readable(insn.dst()));
  if (by_register) TRY(check_readable(insn.src()));
  const RegState left = state_.reg(insn.dst());
  const RegState right = by_register ? state_.reg(insn.src())
                                     : RegState::number(static_cast<std::uint64_t>(std::int64_t{insn.imm}));
  const int foretold = foretell(insn, is_wide, left, right);
  if (foretold >= 0) {
    depend_on(left);
    depend_on(right);
  }
  switch (foretold) {
    case 1:
      at_ = target;
      return Next::kJumped;
    case 0:
      return Next::kFollow;
    default:
      break;
  }
  if (pending_.size() >= kMostPending) return too_many_jumps(EFAULT);

  State jumped = state_;
  State& fallen = state_;
  if (left.is_scalar() && right.is_scalar()) {
    for (const bool taken : {true, false}) {
      State& state = taken ? jumped : fallen;
      Bounds one = left.bounds, other = right.bounds;
      const bool is_itself = by_register && insn.src() == insn.dst();
      refine(op, is_wide, taken, one, is_itself ? one : other);
      RegState& first = state.reg(insn.dst());
      first.bounds = one;
      first.from |= right.from;
      // Two registers of one id: what the second has learnt stands, as in the kernel.
      if (by_register && insn.src() != insn.dst()) {
        RegState& second = state.reg(insn.src());
        second.bounds = other;
        second.from |= left.from;
        copy_bounds_to_equals(state, second);
      }
      copy_bounds_to_equals(state, first);
    }
  } else if (is_wide && !by_register && left.maybe_null && right.is_null() &&
             (op == Jump::kJeq || op == Jump::kJne)) {
    settle_null(jumped, left.id, op == Jump::kJeq);
    settle_null(fallen, left.id, op == Jump::kJne);
  } else if (is_wide && left.is_pointer() && right.is_pointer() && left.maybe_null != right.maybe_null &&
             left.type != RegType::kKernelObject && right.type != RegType::kKernelObject &&
             (op == Jump::kJeq || op == Jump::kJne)) {
    // What is the same as a pointer that is one is one. (One to an object of the kernel may be NULL all the
    // same.)
    settle_null(op == Jump::kJeq ? jumped : fallen, left.maybe_null ? left.id : right.id, false);
  } else if (is_wide) {
    learn_packet_ranges(insn, fallen, jumped);
  }
  push(std::move(jumped), target);
  return Next::kFollow;
}

// Either way may be taken; the way back is taken only so often, which the interpreter counts.
Result<Walk::Next> Walk::may_goto(const abi::Insn& insn) {
  if (pending_.size() >= kMostPending || state_.may_goto_depth >= kMostPending) return too_many_jumps(ENOMEM);
  State again = state_;
  ++again.may_goto_depth;
  // This visit is a checkpoint already: the last one is before it.
  widen_from_last_visit(again, at_, state_.parent->state.parent);
  push(std::move(again), at_ + 1);
  at_ = static_cast<std::uint32_t>(target_of(insn, at_));
  return Next::kJumped;
}

}  // namespace portolan::verifier
