// SPDX-License-Identifier: Apache-2.0
// The stack: 512 bytes for each function, of which every byte is known to be a number, zero, or part of a
// spilled register. Bytes that were never written read as numbers: whoever runs the
// function clears its stack, if it may read such bytes.
#include <algorithm>

#include "verifier/fastcall.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

constexpr std::int64_t kSize = isa::kStackBytes;
constexpr std::uint64_t kMostVariable = std::uint64_t{1} << 29;

struct Place {
  std::size_t slot;
  unsigned byte;  // in the slot, counted from its lowest address
};
Place place_of(std::int64_t offset) {
  const auto above = static_cast<std::uint64_t>(-offset - 1);
  return {above / 8, static_cast<unsigned>(7 - above % 8)};
}

StackSlot& slot_at(Frame& frame, std::size_t slot) {
  if (slot >= frame.stack.size()) frame.stack.resize(slot + 1);
  return frame.stack[slot];
}

bool fits(const RegState& number, std::uint32_t size) {
  return size == 8 || number.bounds.wide.umax >> (size * 8) == 0;
}
void cut_off(RegState& number, std::uint32_t size) {
  number.unlink();
  number.bounds.cut_off(size);
}

// What the kernel does not keep there: the program gets the address back as a number. A dynptr that a
// callback was given is gone when that returns.
bool may_be_spilled(const RegState& reg) {
  return reg.type != RegType::kDynptr && reg.type != RegType::kTracepointBuffer;
}

// The register in it is no longer whole: its bytes are just numbers.
void break_up(StackSlot& slot) {
  for (Byte& byte : slot.bytes)
    if (byte == Byte::kSpill) byte = Byte::kMisc;
  slot.spilled = RegState{};
}

}  // namespace

void Walk::need_stack(const RegState& reg, std::int64_t least) {
  Frame& frame = frame_of(reg);
  std::uint32_t& bytes = structure_.functions[frame.subprogram].stack_bytes;
  bytes = std::max(bytes, static_cast<std::uint32_t>(round_up(static_cast<std::uint64_t>(-least), 8)));
}

void Walk::show_slots(std::int64_t least, std::int64_t end) {
  for (std::int64_t at = least; at < end; ++at) touched_.slots |= std::uint64_t{1} << place_of(at).slot;
}

void Walk::touch_stack(const RegState& reg, std::int64_t least) {
  Function& function = structure_.functions[frame_of(reg).subprogram];
  if (least < function.spills.end && !facts_.insns[at_].is_of_fastcall) keep_spills(function, facts_);
}

Result<void> Walk::check_stack_bounds(unsigned number, const RegState& reg, std::int32_t offset,
                                      std::uint64_t size, Access kind) {
  const char* const what = kind == Access::kWrite ? "write to" : "read from";
  const Range<std::uint64_t>& range = reg.bounds.wide;
  std::int64_t least, most;
  if (reg.bounds.is_constant()) {
    least = most = static_cast<std::int64_t>(reg.bounds.value()) + reg.off + offset;
  } else {
    constexpr auto limit = static_cast<std::int64_t>(kMostVariable);
    if (range.smax >= limit || range.smin <= -limit)
      return refuse(EACCES, "invalid unbounded variable-offset {} stack R{}", what, number);
    least = range.smin + reg.off + offset;
    most = range.smax + reg.off + offset;
  }
  const bool begins_inside = least >= -kSize && least < 0;
  if (!begins_inside || most + static_cast<std::int64_t>(size) > 0 || most >= 0) {
    const int error = begins_inside ? EINVAL : EACCES;
    if (reg.bounds.is_constant())
      return refuse(error, "invalid {} stack R{} off={} size={}", what, number, least, size);
    return refuse(error, "invalid variable-offset {} stack R{} var_off={} off={} size={}", what, number,
                  to_text(reg.bounds.bits), reg.off + offset, size);
  }
  need_stack(reg, least);
  return {};
}

// Of an iterator, that word is gone: nothing can destroy it any more, as it must be.
Result<void> Walk::overwrite_opaque(Frame& frame, std::size_t number) {
  StackSlot& slot = frame.stack[number];
  if (slot.is_dynptr()) return destroy_dynptr(frame, number);
  if (slot.is_opaque()) {
    slot.bytes.fill(Byte::kMisc);
    slot.spilled = RegState{};
  }
  return {};
}

// No byte of what programs must not look at. `through`: the register, where the log names it.
Result<void> Walk::check_not_opaque(const RegState& reg, std::int64_t least, std::int64_t end,
                                    const std::string& through) {
  const Frame& frame = frame_of(reg);
  for (std::int64_t at = least; at < end && at < 0; ++at) {
    const auto slot = static_cast<std::size_t>((-at - 1) / 8);
    if (slot < frame.stack.size() && frame.stack[slot].is_opaque())
      return refuse(EACCES, "invalid read from stack {}off {}+{} size {}", through, least, at - least,
                    end - least);
  }
  return {};
}

// All that may have been written to: numbers, or zeros where it was zeros that were written and zeros that
// were there.
Result<void> Walk::forget_stack(const RegState& reg, std::int64_t least, std::int64_t end, bool are_zeros) {
  touch_stack(reg, least);
  show_slots(least, end);
  Frame& frame = frame_of(reg);
  for (std::int64_t offset = least; offset < end; ++offset) {
    const Place place = place_of(offset);
    StackSlot& slot = slot_at(frame, place.slot);
    TRY(overwrite_opaque(frame, place.slot));
    Byte& byte = slot.bytes[place.byte];
    if (are_zeros && byte == Byte::kSpill && slot.spilled.is_null()) continue;
    if (slot.is_spill()) break_up(slot);
    if (!(are_zeros && byte == Byte::kZero)) byte = Byte::kMisc;
  }
  return {};
}

Result<void> Walk::write_stack(unsigned number, std::int32_t offset, std::uint32_t size,
                               const RegState* value) {
  const RegState reg = state_.reg(number);
  if (value != nullptr && !may_be_spilled(*value)) value = nullptr;
  const bool is_zero = value != nullptr && value->is_null();
  if (!reg.bounds.is_constant()) {
    if (is_zero) depend_on(*value);
    const std::int64_t least = reg.bounds.wide.smin + reg.off + offset;
    const std::int64_t end = reg.bounds.wide.smax + reg.off + offset + static_cast<std::int64_t>(size);
    note_unwritten(reg, least, end);
    return forget_stack(reg, least, end, is_zero);
  }
  const std::int64_t least = static_cast<std::int64_t>(reg.bounds.value()) + reg.off + offset;
  touch_stack(reg, least);
  show_slots(least, least + size);
  const Place place = place_of(least);
  if (size == 8) frame_of(reg).written |= std::uint64_t{1} << place.slot;
  StackSlot& slot = slot_at(frame_of(reg), place.slot);
  TRY(overwrite_opaque(frame_of(reg), place.slot));
  // A frame may go before its callers do, and what points to it must not be left behind.
  if (value != nullptr && value->type == RegType::kStack && size == 8 &&
      reg.frame + 1u != state_.frames.size())
    return refuse(EINVAL, "cannot spill pointers to stack into stack frame of the caller");
  const bool keeps_register = value != nullptr && place.byte == 0 && (size == 8 || value->is_scalar());
  if (keeps_register) {
    RegState spilled = *value;
    if (spilled.is_scalar()) {
      if (fits(spilled, size)) {
        give_id(spilled);
        for (unsigned i = 0; i < isa::kRegisters; ++i)
          if (&state_.reg(i) == value) state_.reg(i) = spilled;
      } else {
        spilled.unlink();
      }
    }
    if (slot.is_spill()) break_up(slot);
    slot.spilled = spilled;
    for (unsigned i = 0; i < size; ++i) slot.bytes[i] = Byte::kSpill;
    return {};
  }
  if (value != nullptr && value->is_pointer() && size != 8)
    return refuse(EACCES, "invalid size of register spill");
  // An access within bounds is aligned, so it lies in one slot.
  if (is_zero) depend_on(*value);
  if (slot.is_spill()) break_up(slot);
  for (unsigned i = 0; i < size; ++i) slot.bytes[place.byte + i] = is_zero ? Byte::kZero : Byte::kMisc;
  return {};
}

// The number that these bytes hold, where it is zero or was stored as one of that size.
std::optional<std::uint64_t> Walk::stack_constant(const RegState& reg, std::uint32_t size) {
  if (reg.type != RegType::kStack || !reg.bounds.is_constant()) return std::nullopt;
  const Place place = place_of(static_cast<std::int64_t>(reg.bounds.value()) + reg.off);
  const Frame& frame = frame_of(reg);
  if (place.slot >= frame.stack.size() || place.byte + size > 8) return std::nullopt;
  const StackSlot& slot = frame.stack[place.slot];
  const auto first = slot.bytes.begin() + place.byte;
  if (std::all_of(first, first + size, [](Byte byte) { return byte == Byte::kZero; })) return 0;
  if (place.byte != 0 || slot.spilled_bytes() != size || !slot.spilled.is_constant()) return std::nullopt;
  depend_on(slot.spilled);
  return slot.spilled.bounds.bits.low(size).value;
}

Result<RegState> Walk::read_stack(unsigned number, std::int32_t offset, std::uint32_t size, bool is_signed) {
  const RegState reg = state_.reg(number);
  const Frame& frame = frame_of(reg);
  RegState result = RegState::unknown();
  std::int64_t least = static_cast<std::int64_t>(reg.bounds.value()) + reg.off + offset, end = least + size;
  if (!reg.bounds.is_constant()) {
    least = reg.bounds.wide.smin + reg.off + offset;
    end = reg.bounds.wide.smax + reg.off + offset + static_cast<std::int64_t>(size);
  }
  TRY(check_not_opaque(reg, least, end, reg.bounds.is_constant() ? "" : fmt::format("R{} ", number)));
  touch_stack(reg, least);
  read_slots(reg, least, end);
  // As in the kernel: bytes of zero, or a number on the stack where it is known which one is read; not both.
  bool are_zeros = true, are_of_zero = reg.bounds.is_constant();
  for (std::int64_t at = least; at < end; ++at) {
    const Place place = place_of(at);
    static const StackSlot kUntouched;
    const StackSlot& slot = place.slot < frame.stack.size() ? frame.stack[place.slot] : kUntouched;
    if (are_zeros) show_slots(at, at + 1);
    are_zeros &= slot.bytes[place.byte] == Byte::kZero;
    are_of_zero &= slot.bytes[place.byte] == Byte::kSpill && slot.spilled.is_null();
  }
  if (reg.bounds.is_constant()) {
    const Place place = place_of(least);
    if (place.slot < frame.stack.size() && frame.stack[place.slot].is_spill()) {
      const StackSlot& slot = frame.stack[place.slot];
      const unsigned spilled = slot.spilled_bytes();
      if (!slot.spilled.is_scalar()) {
        if (size != 8) return refuse(EACCES, "invalid size of register fill");
        return slot.spilled;
      }
      if (place.byte == 0 && size <= spilled) {
        result = slot.spilled;
        if (fits(result, size)) return result;
        // What the sign of the low bytes makes of a number is worked out from all of it.
        if (is_signed)
          result.unlink();
        else
          cut_off(result, size);
        return result;
      }
    }
  }
  if (are_zeros || are_of_zero) {
    RegState zero = RegState::number(0);
    if (are_of_zero) zero.from = frame.stack[place_of(least).slot].spilled.from;
    return zero;
  }
  if (size < 8) cut_off(result, size);
  return result;
}

}  // namespace portolan::verifier
