// SPDX-License-Identifier: Apache-2.0
// What computes in registers. Operations on 32 bits leave zeros in the upper half, as the CPU's own do.
#include <bit>

#include "jit/emitter.h"

namespace portolan::jit {

using isa::Alu;
using isa::Class;

namespace {

// Immediates are sign-extended to the width of the operation, in the program's instructions as in the CPU's.
std::uint32_t low_half(std::int32_t imm) { return static_cast<std::uint32_t>(imm); }

}  // namespace

#define BY_REGISTER_OR_IMMEDIATE(instruction)          \
  do {                                                 \
    const Xbyak::Reg32e to = sized(by.to, by.is_wide); \
    if (by.by_register)                                \
      instruction(to, sized(by.from, by.is_wide));     \
    else                                               \
      instruction(to, low_half(by.imm));               \
  } while (false)

void Emitter::alu_add(const Operands& by) { BY_REGISTER_OR_IMMEDIATE(add); }
void Emitter::alu_sub(const Operands& by) { BY_REGISTER_OR_IMMEDIATE(sub); }
void Emitter::alu_or(const Operands& by) { BY_REGISTER_OR_IMMEDIATE(or_); }
void Emitter::alu_and(const Operands& by) { BY_REGISTER_OR_IMMEDIATE(and_); }
void Emitter::alu_xor(const Operands& by) { BY_REGISTER_OR_IMMEDIATE(xor_); }

#undef BY_REGISTER_OR_IMMEDIATE

void Emitter::alu_mul(const Operands& by) {
  const Xbyak::Reg32e to = sized(by.to, by.is_wide);
  if (by.by_register)
    imul(to, sized(by.from, by.is_wide));
  else
    imul(to, to, by.imm);
}

void Emitter::alu_mov(const Operands& by) {
  if (by.by_register)
    mov(sized(by.to, by.is_wide), sized(by.from, by.is_wide));
  else if (by.imm == 0)
    xor_(by.to.cvt32(), by.to.cvt32());
  else if (by.is_wide)
    mov(by.to, static_cast<std::uint64_t>(static_cast<std::int64_t>(by.imm)));
  else
    mov(by.to.cvt32(), low_half(by.imm));
}

void Emitter::alu_lsh(const Operands& by) { shift(by, Shift::kLeft); }
void Emitter::alu_rsh(const Operands& by) { shift(by, Shift::kRight); }
void Emitter::alu_arsh(const Operands& by) { shift(by, Shift::kSignedRight); }

void Emitter::shift(const Operands& by, Shift way) {
  const Xbyak::Reg32e to = sized(by.to, by.is_wide);
  if (!by.by_register) {
    const int count = by.imm & (by.is_wide ? 63 : 31);
    if (count == 0 && !by.is_wide) return mov(to, to);
    switch (way) {
      case Shift::kLeft:
        return shl(to, count);
      case Shift::kRight:
        return shr(to, count);
      case Shift::kSignedRight:
        return sar(to, count);
    }
  }
  if (!has_bmi2_) return shift_without_bmi2(by, way);
  const Xbyak::Reg32e from = sized(by.from, by.is_wide);
  switch (way) {
    case Shift::kLeft:
      return shlx(to, to, from);
    case Shift::kRight:
      return shrx(to, to, from);
    case Shift::kSignedRight:
      return sarx(to, to, from);
  }
}

// The count must be in cl, whose register is one of the program's.
void Emitter::shift_without_bmi2(const Operands& by, Shift way) {
  mov(r11, rcx);
  mov(rcx, by.from);
  mov(rdi, by.to.getIdx() == rcx.getIdx() ? Reg64(r11) : by.to);
  const Xbyak::Reg32e to = sized(rdi, by.is_wide);
  switch (way) {
    case Shift::kLeft:
      shl(to, cl);
      break;
    case Shift::kRight:
      shr(to, cl);
      break;
    case Shift::kSignedRight:
      sar(to, cl);
      break;
  }
  mov(rcx, r11);
  mov(sized(by.to, by.is_wide), to);
}

void Emitter::divide(const Operands& by, Division wanted, bool is_signed) {
  if (!by.by_register) {
    if (by.imm == 0) return divide_by_zero(by, wanted);
    if (is_signed && by.imm == -1) return divide_by_minus_one(by, wanted);
    if (!is_signed && by.imm > 0 && std::has_single_bit(low_half(by.imm)))
      return divide_by_power_of_two(by, wanted);
    if (by.is_wide)
      mov(r11, static_cast<std::uint64_t>(static_cast<std::int64_t>(by.imm)));
    else
      mov(r11d, low_half(by.imm));
    return divide_by_r11(by, wanted, is_signed);
  }
  Label zero, minus_one, done;
  const Xbyak::Reg32e divisor = sized(r11, by.is_wide);
  mov(divisor, sized(by.from, by.is_wide));
  test(divisor, divisor);
  jz(zero);
  if (is_signed) {
    cmp(divisor, -1);
    je(minus_one);
  }
  divide_by_r11(by, wanted, is_signed);
  jmp(done);
  if (is_signed) {
    L(minus_one);
    divide_by_minus_one(by, wanted);
    jmp(done);
  }
  L(zero);
  divide_by_zero(by, wanted);
  L(done);
}

void Emitter::divide_by_zero(const Operands& by, Division wanted) {
  if (wanted == Division::kQuotient)
    xor_(by.to.cvt32(), by.to.cvt32());
  else if (!by.is_wide)
    mov(by.to.cvt32(), by.to.cvt32());
}

void Emitter::divide_by_minus_one(const Operands& by, Division wanted) {
  if (wanted == Division::kQuotient)
    neg(sized(by.to, by.is_wide));
  else
    xor_(by.to.cvt32(), by.to.cvt32());
}

void Emitter::divide_by_power_of_two(const Operands& by, Division wanted) {
  const Xbyak::Reg32e to = sized(by.to, by.is_wide);
  const int bits = std::countr_zero(low_half(by.imm));
  if (wanted == Division::kRemainder)
    and_(to, low_half(by.imm) - 1);
  else if (bits != 0)
    shr(to, bits);
  else if (!by.is_wide)
    mov(to, to);
}

// The CPU divides rdx:rax: R2 and R0.
void Emitter::divide_by_r11(const Operands& by, Division wanted, bool is_signed) {
  const bool to_rax = by.to.getIdx() == rax.getIdx(), to_rdx = by.to.getIdx() == rdx.getIdx();
  if (!to_rdx) push(rdx);
  if (!to_rax) {
    mov(rdi, rax);
    mov(rax, by.to);
  }
  const Xbyak::Reg32e divisor = sized(r11, by.is_wide);
  if (is_signed) {
    if (by.is_wide)
      cqo();
    else
      cdq();
    idiv(divisor);
  } else {
    xor_(edx, edx);
    div(divisor);
  }
  mov(divisor, sized(wanted == Division::kQuotient ? rax : rdx, by.is_wide));
  if (!to_rax) mov(rax, rdi);
  if (!to_rdx) pop(rdx);
  mov(by.to, r11);
}

void Emitter::unary(Class kind, Alu operation, std::uint8_t source, std::int32_t bits) {
  if (operation == Alu::kNeg)
    neg(sized(operands(true, false).to, kind == Class::kAlu64));
  else if (kind == Class::kAlu && source != isa::kBySource)
    zero_extend(bits);  // this CPU is little-endian
  else
    swap_bytes(bits);
}

void Emitter::sign_extend(std::int32_t bits, bool is_wide) {
  const Operands by = operands(is_wide, true);
  const Xbyak::Reg32e to = sized(by.to, is_wide);
  if (bits == 8)
    movsx(to, by.from.cvt8());
  else if (bits == 16)
    movsx(to, by.from.cvt16());
  else
    movsxd(by.to, by.from.cvt32());
}

void Emitter::zero_extend(std::int32_t bits) {
  const Reg64 to = operands(true, false).to;
  if (bits == 16)
    movzx(to.cvt32(), to.cvt16());
  else if (bits == 32)
    mov(to.cvt32(), to.cvt32());
}

void Emitter::swap_bytes(std::int32_t bits) {
  const Reg64 to = operands(true, false).to;
  if (bits == 64) return bswap(to);
  if (bits == 32) return bswap(to.cvt32());
  rol(to.cvt16(), 8);
  movzx(to.cvt32(), to.cvt16());
}

}  // namespace portolan::jit
