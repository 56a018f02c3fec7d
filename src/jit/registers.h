// SPDX-License-Identifier: Apache-2.0
// Which register of the CPU each of a program's is (emitter.h).
#pragma once
#include <xbyak/xbyak.h>

namespace portolan::jit {

inline Xbyak::Reg64 native(unsigned number) {
  using Xbyak::Operand;
  static constexpr int kNative[] = {Operand::RAX, Operand::RSI, Operand::RDX, Operand::RCX,
                                    Operand::R8,  Operand::R9,  Operand::RBX, Operand::R13,
                                    Operand::R14, Operand::R15, Operand::RBP, Operand::R10};
  return Xbyak::Reg64(kNative[number]);
}
inline constexpr unsigned kNativeRegisters = 12;

}  // namespace portolan::jit
