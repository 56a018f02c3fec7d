// SPDX-License-Identifier: Apache-2.0
// Arithmetic: on numbers by their bounds; on pointers only what keeps them inside of what they point to.
#include <algorithm>

#include "isa/insn.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using isa::Alu;
using isa::Class;

constexpr std::int64_t kMostVariable = std::int64_t{1} << 29;

const char* symbol_of(Alu op) {
  switch (op) {
    case Alu::kAdd:
      return "+=";
    case Alu::kSub:
      return "-=";
    case Alu::kMul:
      return "*=";
    case Alu::kDiv:
      return "/=";
    case Alu::kOr:
      return "|=";
    case Alu::kAnd:
      return "&=";
    case Alu::kLsh:
      return "<<=";
    case Alu::kRsh:
      return ">>=";
    case Alu::kMod:
      return "%=";
    case Alu::kXor:
      return "^=";
    case Alu::kArsh:
      return "s>>=";
    default:
      return "=";
  }
}

// A step back from there: it may be in the packet again.
void leave_end(RegState& pointer) { pointer.range = std::max(pointer.range, 0); }

bool may_move(const RegState& reg) {
  switch (reg.type) {
    case RegType::kMapKey:
    case RegType::kMapValue:
    case RegType::kStack:
    case RegType::kPacketMeta:
    case RegType::kPacket:
    case RegType::kMem:
    case RegType::kCtx:
    case RegType::kDynptr:
    case RegType::kTracepointBuffer:
    case RegType::kBuffer:
    case RegType::kKernelObject:
      return true;
    default:
      return false;
  }
}

// A constant more or less than the others of its id: what they learn, it knows.
void link_sum(Alu op, bool is_wide, const RegState& left, const RegState& right, RegState& result) {
  using Offset = std::numeric_limits<std::int32_t>;
  if ((op != Alu::kAdd && op != Alu::kSub) || left.id == 0 || left.sum_bits != 0) return;
  if (is_wide ? !right.is_constant() : !right.bounds.is_narrow_constant()) return;
  // A sum of 32 bits says nothing about a number of more.
  if (!is_wide && left.bounds.wide.umax > std::numeric_limits<std::uint32_t>::max()) return;
  std::int64_t off = is_wide ? static_cast<std::int64_t>(right.bounds.value())
                             : static_cast<std::int32_t>(right.bounds.narrow_value());
  if (op == Alu::kSub && off != std::numeric_limits<std::int64_t>::min()) off = -off;
  const bool fits = op == Alu::kAdd ? off >= Offset::min() && off <= Offset::max()
                                    : off > Offset::min() && off <= Offset::max();
  if (!fits) return;
  result.id = left.id;
  result.sum_bits = is_wide ? 64 : 32;
  result.off = static_cast<std::int32_t>(off);
}

}  // namespace

Result<void> Walk::alu(const abi::Insn& insn) {
  const Alu op = isa::alu_of(insn);
  const bool is_wide = isa::class_of(insn) == Class::kAlu64, by_register = isa::by_register(insn);
  const unsigned to = insn.dst(), from = insn.src();
  if (op == Alu::kMov) return move(insn);
  TRY(check_readable(to));
  if (op == Alu::kEnd || op == Alu::kNeg) {
    RegState& reg = state_.reg(to);
    TRY(check_writable(to));
    if (reg.is_pointer()) {  // its value is no secret
      reg = RegState::unknown();
      return {};
    }
    if (op == Alu::kEnd) {
      // Without a swap the bytes are in the order of this machine.
      reorder_bytes(static_cast<unsigned>(insn.imm) / 8, is_wide || by_register, reg.bounds);
      reg.unlink();
      return {};
    }
    Bounds zero = Bounds::constant(0);
    compute(Alu::kSub, is_wide, zero, reg.bounds);
    const Dependencies from_it = reg.from;
    reg = RegState::unknown();
    reg.bounds = zero;
    reg.from = from_it;
    return {};
  }
  if (by_register) TRY(check_readable(from));
  TRY(check_writable(to));
  if (!by_register && (op == Alu::kDiv || op == Alu::kMod) && insn.imm == 0)
    return refuse(EINVAL, "div by zero");
  if (!by_register && (op == Alu::kLsh || op == Alu::kRsh || op == Alu::kArsh) &&
      (insn.imm < 0 || insn.imm >= (is_wide ? 64 : 32)))
    return refuse(EINVAL, "invalid shift {}", insn.imm);

  RegState& left = state_.reg(to);
  const RegState right =
      by_register ? state_.reg(from) : RegState::number(static_cast<std::uint64_t>(std::int64_t{insn.imm}));
  if (left.is_pointer() || right.is_pointer()) {
    if (left.is_pointer() && right.is_pointer()) {
      if (op == Alu::kSub) {
        left = RegState::unknown();
        return {};
      }
      return refuse(EACCES, "R{} pointer {} pointer prohibited", to, symbol_of(op));
    }
    if (left.is_pointer()) return pointer_arithmetic(insn, op, left, right, to);
    return pointer_arithmetic(insn, op, right, left, from);
  }
  Bounds bounds = left.bounds;
  if (insn.off != 0)
    bounds = Bounds{};  // signed division: nothing is known of the result
  else
    compute(op, is_wide, bounds, right.bounds);
  RegState result = RegState::unknown();
  result.bounds = bounds;
  result.from = left.from | right.from;
  if (!(by_register && from == to)) link_sum(op, is_wide, left, right, result);
  left = result;
  return {};
}

Result<void> Walk::move(const abi::Insn& insn) {
  const bool is_wide = isa::class_of(insn) == Class::kAlu64;
  const unsigned to = insn.dst(), from = insn.src();
  if (!isa::by_register(insn)) {
    TRY(check_writable(to));
    state_.reg(to) = RegState::number(is_wide ? static_cast<std::uint64_t>(std::int64_t{insn.imm})
                                              : static_cast<std::uint32_t>(insn.imm));
    return {};
  }
  TRY(check_readable(from));
  TRY(check_writable(to));
  RegState& source = state_.reg(from);
  if (insn.off != 0) {  // with the sign of its low bits
    const bool is_same = source.is_scalar() && source.bounds.wide.umax >> (insn.off - 1) == 0;
    if (is_same) give_id(source);
    RegState result = RegState::unknown();
    sign_extend(result.bounds, source.is_pointer() ? Bounds{} : source.bounds,
                static_cast<unsigned>(insn.off), is_wide);
    result.from = source.from;
    if (is_same) result.id = source.id;
    state_.reg(to) = result;
    return {};
  }
  if (is_wide) {
    // Two registers with the same number: what one learns, the other knows.
    if (source.is_scalar()) give_id(source);
    state_.reg(to) = source;
    return {};
  }
  if (source.is_pointer()) {
    state_.reg(to) = RegState::unknown();
    state_.reg(to).bounds.zero_extend();
    return {};
  }
  const bool fits = source.bounds.wide.umax <= std::numeric_limits<std::uint32_t>::max();
  if (fits) give_id(source);
  RegState result = source;
  if (!fits) {
    result.unlink();
    result.bounds.zero_extend();
  }
  state_.reg(to) = result;
  return {};
}

Result<void> Walk::check_sane_offset(const RegState& reg) {
  const std::int64_t fixed = static_cast<std::int64_t>(reg.bounds.value());
  if (reg.bounds.is_constant() && (fixed >= kMostVariable || fixed <= -kMostVariable))
    return refuse(EINVAL, "math between {} pointer and {} is not allowed", name_of(reg.type), fixed);
  if (reg.off >= kMostVariable || reg.off <= -kMostVariable)
    return refuse(EINVAL, "{} pointer offset {} is not allowed", name_of(reg.type), reg.off);
  const std::int64_t least = reg.bounds.wide.smin;
  if (least == std::numeric_limits<std::int64_t>::min())
    return refuse(EINVAL, "math between {} pointer and register with unbounded min value is not allowed",
                  name_of(reg.type));
  if (least >= kMostVariable || least <= -kMostVariable)
    return refuse(EINVAL, "value {} makes {} pointer be out of bounds", least, name_of(reg.type));
  return {};
}

Result<void> Walk::pointer_arithmetic(const abi::Insn& insn, Alu op, RegState pointer, const RegState& number,
                                      unsigned pointer_number) {
  const unsigned to = insn.dst();
  const Bounds& by = number.bounds;
  depend_on(number);
  if (by.is_empty()) {  // a path that cannot be taken
    state_.reg(to) = RegState::unknown();
    return {};
  }
  if (isa::class_of(insn) != Class::kAlu64) {
    if (op == Alu::kSub) {
      state_.reg(to) = RegState::unknown();
      return {};
    }
    return refuse(EACCES, "R{} 32-bit pointer arithmetic prohibited", to);
  }
  if (pointer.maybe_null)
    return refuse(EACCES, "R{} pointer arithmetic on {} prohibited, null-check it first", to,
                  type_text(pointer));
  const bool adds_nothing = op == Alu::kAdd && by.is_constant() && by.value() == 0;
  const bool moves_fixed = pointer.type == RegType::kFlowKeys && by.is_constant();
  if (!may_move(pointer) && !moves_fixed && !(pointer.type == RegType::kMap && adds_nothing))
    return refuse(EACCES, "R{} pointer arithmetic on {} prohibited", to, type_text(pointer));
  RegState offset_only = number;
  offset_only.type = pointer.type;
  TRY(check_sane_offset(offset_only));
  TRY(check_sane_offset(pointer));
  const auto fits_offset = [](std::int64_t sum) { return sum == static_cast<std::int32_t>(sum); };
  switch (op) {
    case Alu::kAdd:
      if (by.is_constant() && fits_offset(pointer.off + static_cast<std::int64_t>(by.value()))) {
        if (static_cast<std::int64_t>(by.value()) < 0) leave_end(pointer);
        pointer.off = static_cast<std::int32_t>(pointer.off + static_cast<std::int64_t>(by.value()));
        break;
      }
      compute(Alu::kAdd, true, pointer.bounds, by);
      if (pointer.is_packet()) {
        pointer.id = new_id();
        pointer.range = 0;
      }
      break;
    case Alu::kSub:
      if (pointer_number != to || !state_.reg(to).is_pointer())
        return refuse(EACCES, "R{} tried to subtract pointer from scalar", to);
      if (pointer.type == RegType::kStack)
        return refuse(EACCES, "R{} subtraction from stack pointer prohibited", to);
      if (by.is_constant() && fits_offset(pointer.off - static_cast<std::int64_t>(by.value()))) {
        if (static_cast<std::int64_t>(by.value()) > 0) leave_end(pointer);
        pointer.off = static_cast<std::int32_t>(pointer.off - static_cast<std::int64_t>(by.value()));
        break;
      }
      compute(Alu::kSub, true, pointer.bounds, by);
      if (pointer.is_packet()) {
        pointer.id = new_id();
        pointer.range = 0;
      }
      break;
    case Alu::kAnd:
    case Alu::kOr:
    case Alu::kXor:
      return refuse(EACCES, "R{} bitwise operator {} on pointer prohibited", to, symbol_of(op));
    default:
      return refuse(EACCES, "R{} pointer arithmetic with {} operator prohibited", to, symbol_of(op));
  }
  TRY(check_sane_offset(pointer));
  state_.reg(to) = pointer;
  return {};
}

}  // namespace portolan::verifier
