// SPDX-License-Identifier: Apache-2.0
// The fields of an instruction (RFC 9669): what its opcode, offset and immediate mean.
#pragma once
#include <cstdint>

#include "abi/insn.h"

namespace portolan::isa {

using abi::Insn;

// opcode, bits 0 to 2
enum class Class : std::uint8_t { kLd = 0, kLdx, kSt, kStx, kAlu, kJmp, kJmp32, kAlu64 };
constexpr Class class_of(const Insn& insn) { return static_cast<Class>(insn.code & 0x07); }

// Loads and stores: bits 3 and 4, and 5 to 7.
enum class Size : std::uint8_t { kWord = 0x00, kHalf = 0x08, kByte = 0x10, kDouble = 0x18 };
constexpr Size size_of(const Insn& insn) { return static_cast<Size>(insn.code & 0x18); }
constexpr std::uint32_t bytes_of(Size size) {
  constexpr std::uint8_t bytes[] = {4, 2, 1, 8};
  return bytes[static_cast<std::uint8_t>(size) >> 3];
}
enum class Mode : std::uint8_t {
  kImm = 0x00,
  kAbs = 0x20,  // of a packet, as classic BPF
  kInd = 0x40,
  kMem = 0x60,
  kMemSx = 0x80,  // sign-extending
  kAtomic = 0xc0,
};
constexpr Mode mode_of(const Insn& insn) { return static_cast<Mode>(insn.code & 0xe0); }

// Arithmetic and jumps: bit 3, and 4 to 7.
inline constexpr std::uint8_t kBySource =
    0x08;  // the other operand is the source register, not the immediate
constexpr bool by_register(const Insn& insn) { return (insn.code & kBySource) != 0; }
enum class Alu : std::uint8_t {
  kAdd = 0x00,
  kSub = 0x10,
  kMul = 0x20,
  kDiv = 0x30,  // off 1: signed; as kMod
  kOr = 0x40,
  kAnd = 0x50,
  kLsh = 0x60,
  kRsh = 0x70,
  kNeg = 0x80,
  kMod = 0x90,
  kXor = 0xa0,
  kMov = 0xb0,  // off 8, 16, 32: sign-extending
  kArsh = 0xc0,
  kEnd = 0xd0,  // ALU: to little (by immediate) or big endian (by source); ALU64: swap
};
constexpr Alu alu_of(const Insn& insn) { return static_cast<Alu>(insn.code & 0xf0); }
enum class Jump : std::uint8_t {
  kJa = 0x00,  // JMP32: by the immediate
  kJeq = 0x10,
  kJgt = 0x20,
  kJge = 0x30,
  kJset = 0x40,
  kJne = 0x50,
  kJsgt = 0x60,
  kJsge = 0x70,
  kCall = 0x80,
  kExit = 0x90,
  kJlt = 0xa0,
  kJle = 0xb0,
  kJslt = 0xc0,
  kJsle = 0xd0,
  kJcond = 0xe0,  // may_goto
};
constexpr Jump jump_of(const Insn& insn) { return static_cast<Jump>(insn.code & 0xf0); }

// The immediate of an atomic operation.
namespace atomic {
inline constexpr std::int32_t kAdd = 0x00, kOr = 0x40, kAnd = 0x50, kXor = 0xa0;
inline constexpr std::int32_t kFetch =
    0x01;  // with those above: the old value comes into the source register
inline constexpr std::int32_t kExchange = 0xe1, kCompareExchange = 0xf1;
inline constexpr std::int32_t kLoadAcquire = 0x100, kStoreRelease = 0x110;
}  // namespace atomic

// The whole opcode of the one instruction that takes two slots.
inline constexpr std::uint8_t kLoadImm64 = 0x18;
constexpr bool is_wide(const Insn& insn) { return insn.code == kLoadImm64; }
inline constexpr std::uint8_t kCallCode = 0x85, kExitCode = 0x95;

// R0 to R10, and R11 for what the library itself inserts.
inline constexpr unsigned kRegisters = 11, kFramePointer = 10, kSpareRegister = 11;
inline constexpr std::uint32_t kStackBytes = 512;  // of all frames of a call chain together
inline constexpr unsigned kMaxFrames = 8;

}  // namespace portolan::isa
