// SPDX-License-Identifier: Apache-2.0
// The operations that instructions stand for, one for each way to carry one out.
#pragma once
#include <cstdint>

#include "isa/insn.h"

namespace portolan::isa {

enum class Operation : std::uint16_t {
  kNone = 0,
#define ALU(name, ...) name##64_imm, name##64_reg, name##32_imm, name##32_reg,
#define MOVSX(name, ...) name,
#define UNARY(name, ...) name,
#define JUMP(name, ...) name##64_imm, name##64_reg, name##32_imm, name##32_reg,
#define SIZE(name, ...) \
  load_##name, store_imm_##name, store_##name, load_acquire_##name, store_release_##name,
#define SIGNED_SIZE(name, ...) load_##name,
#define PACKET_SIZE(name, ...) packet_abs_##name, packet_ind_##name,
#define ATOMIC(name, ...) atomic_##name##32, atomic_##name##64,
#define COMPARE_EXCHANGE(name, ...) name,
#define OTHER(name, ...) name,
#include "isa/opcodes.def"
  kEnd
};
inline constexpr std::uint32_t kOperations = static_cast<std::uint32_t>(Operation::kEnd);

// What the instruction does; kNone: nothing that there is. Of its fields, only those that choose the
// operation are looked at: the verifier minds the rest.
Operation operation_of(const Insn& insn);

// Whether any instruction has this opcode ("unknown opcode" else).
bool is_valid_opcode(std::uint8_t code);

}  // namespace portolan::isa
