// SPDX-License-Identifier: Apache-2.0
#include "isa/operation.h"

#include <array>

namespace portolan::isa {
namespace {

enum class Field : std::uint8_t { kNothing, kOff, kImm, kSource };

struct Row {
  Operation operation;
  std::uint8_t code;
  Field field = Field::kNothing;  // that tells it apart from others of its code
  std::int32_t value = 0;
};

constexpr std::uint8_t code(Class kind, Alu operation, std::uint8_t source) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(operation) | source);
}
constexpr std::uint8_t code(Class kind, Jump operation, std::uint8_t source) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(operation) | source);
}
constexpr std::uint8_t code(Class kind, Mode mode, Size size) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(mode) |
                                   static_cast<unsigned>(size));
}
constexpr Row unary(Operation operation, std::uint8_t code, std::int32_t imm) {
  return imm < 0 ? Row{operation, code} : Row{operation, code, Field::kImm, imm};
}

using O = Operation;
constexpr Row kRows[] = {
#define ALU(name, op, off, ...)                                                     \
  {O::name##64_imm, code(Class::kAlu64, Alu::op, 0), Field::kOff, off},             \
      {O::name##64_reg, code(Class::kAlu64, Alu::op, kBySource), Field::kOff, off}, \
      {O::name##32_imm, code(Class::kAlu, Alu::op, 0), Field::kOff, off},           \
      {O::name##32_reg, code(Class::kAlu, Alu::op, kBySource), Field::kOff, off},
#define MOVSX(name, kind, off, ...) {O::name, code(Class::kind, Alu::kMov, kBySource), Field::kOff, off},
#define UNARY(name, kind, source, op, imm, ...) unary(O::name, code(Class::kind, Alu::op, source), imm),
#define JUMP(name, op, ...)                                      \
  {O::name##64_imm, code(Class::kJmp, Jump::op, 0)},             \
      {O::name##64_reg, code(Class::kJmp, Jump::op, kBySource)}, \
      {O::name##32_imm, code(Class::kJmp32, Jump::op, 0)},       \
      {O::name##32_reg, code(Class::kJmp32, Jump::op, kBySource)},
#define SIZE(name, size, ...)                                                              \
  {O::load_##name, code(Class::kLdx, Mode::kMem, Size::size)},                             \
      {O::store_imm_##name, code(Class::kSt, Mode::kMem, Size::size)},                     \
      {O::store_##name, code(Class::kStx, Mode::kMem, Size::size)},                        \
      {O::load_acquire_##name, code(Class::kStx, Mode::kAtomic, Size::size), Field::kImm,  \
       atomic::kLoadAcquire},                                                              \
      {O::store_release_##name, code(Class::kStx, Mode::kAtomic, Size::size), Field::kImm, \
       atomic::kStoreRelease},
#define SIGNED_SIZE(name, size, ...) {O::load_##name, code(Class::kLdx, Mode::kMemSx, Size::size)},
#define PACKET_SIZE(name, size, ...)                                \
  {O::packet_abs_##name, code(Class::kLd, Mode::kAbs, Size::size)}, \
      {O::packet_ind_##name, code(Class::kLd, Mode::kInd, Size::size)},
#define ATOMIC(name, imm, ...)                                                             \
  {O::atomic_##name##32, code(Class::kStx, Mode::kAtomic, Size::kWord), Field::kImm, imm}, \
      {O::atomic_##name##64, code(Class::kStx, Mode::kAtomic, Size::kDouble), Field::kImm, imm},
#define COMPARE_EXCHANGE(name, size, type) \
  {O::name, code(Class::kStx, Mode::kAtomic, Size::size), Field::kImm, atomic::kCompareExchange},
#define OTHER(name, opcode, field, value) {O::name, opcode, Field::field, value},
#include "isa/opcodes.def"
};

constexpr std::uint16_t kEndOfChain = 0;
// Rows of one code, chained: first by code, then by row; indices plus 1.
struct Chains {
  std::array<std::uint16_t, 256> first{};
  std::array<std::uint16_t, std::size(kRows)> next{};
};
constexpr Chains kChains = [] {
  Chains chains;
  for (std::size_t i = std::size(kRows); i-- > 0;) {
    chains.next[i] = chains.first[kRows[i].code];
    chains.first[kRows[i].code] = static_cast<std::uint16_t>(i + 1);
  }
  return chains;
}();

constexpr bool is_meant(const Row& row, const Insn& insn) {
  switch (row.field) {
    case Field::kNothing:
      return true;
    case Field::kOff:
      return insn.off == row.value;
    case Field::kImm:
      return insn.imm == row.value;
    case Field::kSource:
      return insn.src() == row.value;
  }
  return false;
}

}  // namespace

Operation operation_of(const Insn& insn) {
  for (std::uint16_t at = kChains.first[insn.code]; at != kEndOfChain; at = kChains.next[at - 1u])
    if (is_meant(kRows[at - 1u], insn)) return kRows[at - 1u].operation;
  return Operation::kNone;
}

bool is_valid_opcode(std::uint8_t code) { return kChains.first[code] != kEndOfChain; }

}  // namespace portolan::isa
