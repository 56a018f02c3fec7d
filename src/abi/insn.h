// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::abi {

// struct bpf_insn, with the two four-bit registers as one byte (bit-fields have no portable order).
struct Insn {
  std::uint8_t code;
  std::uint8_t registers;  // destination in the low four bits, source in the high
  std::int16_t off;
  std::int32_t imm;

  constexpr std::uint8_t dst() const { return registers & 0x0f; }
  constexpr std::uint8_t src() const { return registers >> 4; }
};
static_assert(sizeof(Insn) == 8 && offsetof(Insn, off) == 2 && offsetof(Insn, imm) == 4);

// What the source register of a 64-bit load says about its immediate.
enum class PseudoLoad : std::uint8_t {
  kNone = 0,
  kMapFd = 1,
  kMapValue = 2,
  kBtfId = 3,
  kFunc = 4,
  kMapIdx = 5,  // an index into fd_array
  kMapIdxValue = 6,
};

// What the source register of a call says about its immediate.
enum class PseudoCall : std::uint8_t { kHelper = 0, kSubprogram = 1, kKfunc = 2 };

struct FuncInfo {  // struct bpf_func_info
  std::uint32_t insn_off;
  std::uint32_t type_id;
};
static_assert(sizeof(FuncInfo) == 8);

struct LineInfo {  // struct bpf_line_info
  std::uint32_t insn_off;
  std::uint32_t file_name_off;
  std::uint32_t line_off;
  std::uint32_t line_col;  // line << 10 | column

  constexpr std::uint32_t line() const { return line_col >> 10; }
  constexpr std::uint32_t column() const { return line_col & 0x3ff; }
};
static_assert(sizeof(LineInfo) == 16);

struct CoreRelo {  // struct bpf_core_relo
  std::uint32_t insn_off;
  std::uint32_t type_id;
  std::uint32_t access_str_off;
  std::uint32_t kind;
};
static_assert(sizeof(CoreRelo) == 16);

enum class CoreReloKind : std::uint32_t {  // enum bpf_core_relo_kind
  kFieldByteOffset = 0,
  kFieldByteSize = 1,
  kFieldExists = 2,
  kFieldSigned = 3,
  kFieldLshiftU64 = 4,
  kFieldRshiftU64 = 5,
  kTypeIdLocal = 6,
  kTypeIdTarget = 7,
  kTypeExists = 8,
  kTypeSize = 9,
  kEnumvalExists = 10,
  kEnumvalValue = 11,
  kTypeMatches = 12,
};
inline constexpr std::uint32_t kCoreReloKindEnd = 13;

}  // namespace portolan::abi
