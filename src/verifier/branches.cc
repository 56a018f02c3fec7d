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
  return reg.type == RegType::kMapValue || reg.type == RegType::kMapKey || reg.type == RegType::kMem;
}

// The packet reaches at least as far as this pointer, on the paths that led here.
void extend_range(State& state, const RegState& known, RegType type, bool beyond) {
  if (known.off < 0 || (known.off == 0 && beyond)) return;
  if (known.bounds.wide.umax > kMostPacketOffset ||
      known.bounds.wide.umax + static_cast<std::uint64_t>(known.off) > kMostPacketOffset)
    return;
  const auto range = static_cast<std::uint16_t>(known.off + (beyond ? 1 : 0));
  const std::uint32_t id = known.id;
  state.for_each_reg([&](RegState& reg) {
    if (reg.type == type && reg.id == id) reg.range = std::max(reg.range, range);
  });
}

}  // namespace

int Walk::foretell(const abi::Insn& insn, bool is_wide, const RegState& left, const RegState& right) const {
  const Jump op = isa::jump_of(insn);
  if (left.is_scalar() && right.is_scalar()) return branch_taken(op, is_wide, left.bounds, right.bounds);
  if (!is_wide) return -1;
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
    reg.bounds = known.bounds;
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
  // `end > p` says of the jumping side that there is a byte at p; `p > end` says of the other that p is
  // reached.
  switch (isa::jump_of(insn)) {
    case Jump::kJgt:
      is_mirrored ? extend_range(jumped, pointer, pointer.type, true)
                  : extend_range(fallen, pointer, pointer.type, false);
      return;
    case Jump::kJlt:
      is_mirrored ? extend_range(fallen, pointer, pointer.type, false)
                  : extend_range(jumped, pointer, pointer.type, true);
      return;
    case Jump::kJge:
      is_mirrored ? extend_range(jumped, pointer, pointer.type, false)
                  : extend_range(fallen, pointer, pointer.type, true);
      return;
    case Jump::kJle:
      is_mirrored ? extend_range(fallen, pointer, pointer.type, true)
                  : extend_range(jumped, pointer, pointer.type, false);
      return;
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
  if (pending_.size() >= kMostPending) return too_many_jumps();

  State jumped = state_;
  State& fallen = state_;
  if (left.is_scalar() && right.is_scalar()) {
    for (const bool taken : {true, false}) {
      State& state = taken ? jumped : fallen;
      Bounds one = left.bounds, other = right.bounds;
      refine(op, is_wide, taken, one, other);
      // Numbers that cannot be: a path that nobody takes, which costs time but no safety.
      if (one.is_empty() || other.is_empty()) {
        one = left.bounds;
        other = right.bounds;
      }
      RegState& first = state.reg(insn.dst());
      first.bounds = one;
      first.from |= right.from;
      copy_bounds_to_equals(state, first);
      if (by_register && insn.src() != insn.dst()) {
        RegState& second = state.reg(insn.src());
        // Two registers of one id are one number; the copy above has told the second what the first learnt.
        if (second.id == 0 || second.id != first.id) {
          second.bounds = other;
          second.from |= left.from;
          copy_bounds_to_equals(state, second);
        }
      }
    }
  } else if (is_wide && left.maybe_null && right.is_null() && (op == Jump::kJeq || op == Jump::kJne)) {
    settle_null(jumped, left.id, op == Jump::kJeq);
    settle_null(fallen, left.id, op == Jump::kJne);
  } else if (is_wide) {
    learn_packet_ranges(insn, fallen, jumped);
  }
  push(std::move(jumped), target);
  return Next::kFollow;
}

// Either way may be taken; the way back is taken only so often, which the interpreter counts.
Result<Walk::Next> Walk::may_goto(const abi::Insn& insn) {
  if (pending_.size() >= kMostPending || state_.may_goto_depth >= kMostPending) return too_many_jumps();
  State again = state_;
  ++again.may_goto_depth;
  // This visit is a checkpoint already: the last one is before it.
  widen_from_last_visit(again, at_, state_.parent->state.parent);
  push(std::move(again), at_ + 1);
  at_ = static_cast<std::uint32_t>(target_of(insn, at_));
  return Next::kJumped;
}

}  // namespace portolan::verifier
