// SPDX-License-Identifier: Apache-2.0
#include "jit/emitter.h"

#include <xbyak/xbyak_util.h>

#include <algorithm>

#include "jit/registers.h"

namespace portolan::jit {
namespace {

using isa::Class;
using isa::kBySource;
using isa::Operation;

bool cpu_has_bmi2() {
  static const bool found = Xbyak::util::Cpu().has(Xbyak::util::Cpu::tBMI2);
  return found;
}

// What jumps from instruction `at` to another one; -1: it does not.
std::int64_t target_of(const abi::Insn& insn, std::size_t at) {
  const Class kind = isa::class_of(insn);
  if (kind != Class::kJmp && kind != Class::kJmp32) return -1;
  if (isa::jump_of(insn) == isa::Jump::kCall || isa::jump_of(insn) == isa::Jump::kExit) return -1;
  const bool is_long = insn.code == 0x06;
  return static_cast<std::int64_t>(at) + 1 + (is_long ? insn.imm : insn.off);
}

}  // namespace

Emitter::Emitter(const Source& source, std::span<std::uint8_t> room)
    : CodeGenerator(room.size(), room.data()),
      source_(source),
      labels_(source.insns.size()),
      is_target_(source.insns.size()),
      functions_(source.subprograms.size()),
      places_(source.insns.size()),
      has_bmi2_(cpu_has_bmi2()),
      random_(source.blinding) {
  setDefaultJmpNEAR(true);
  for (const verifier::InsnNotes& one : source.notes) throws_ |= helper::throws(one.kfunc);
}

void Emitter::emit() {
  find_targets();
  for (std::size_t i = 0; i < source_.subprograms.size(); ++i) function(i);
  ready();
}

void Emitter::find_targets() {
  for (std::size_t at = 0; at < source_.insns.size(); ++at) {
    if (const std::int64_t target = target_of(source_.insns[at], at); target >= 0)
      is_target_.at(static_cast<std::size_t>(target)) = true;
    if (isa::is_wide(source_.insns[at])) ++at;
  }
}

void Emitter::function(std::size_t index) {
  const std::size_t begin = source_.subprograms[index].start;
  const std::size_t end =
      index + 1 < source_.subprograms.size() ? source_.subprograms[index + 1].start : source_.insns.size();
  align(16);
  starts_.push_back(static_cast<std::uint32_t>(getSize()));
  L(functions_[index]);
  look_at_gate(index);
  stack_bytes_ = source_.subprograms[index].stack_bytes;
  clears_stack_ = source_.subprograms[index].reads_unwritten_stack;
  kept_.clear();
  counts_loops_ = false;
  zero_exit_.reset();
  for (std::size_t at = begin; at < end; ++at) {
    const abi::Insn& insn = source_.insns[at];
    for (unsigned number = 6; number <= 9; ++number)
      if ((insn.dst() == number || insn.src() == number) &&
          std::find(kept_.begin(), kept_.end(), native(number)) == kept_.end())
        kept_.push_back(native(number));
    counts_loops_ |= isa::operation_of(insn) == Operation::may_goto;
    if (isa::is_wide(insn)) ++at;
  }
  is_main_of_throwing_ = throws_ && index == 0;
  if (is_main_of_throwing_) kept_ = {native(6), native(7), native(8), native(9)};
  enter_frame();
  for (at_ = begin; at_ < end; ++at_) {
    insn_ = source_.insns[at_];
    if (is_target_[at_]) L(labels_[at_]);
    places_[at_] = at_ == begin ? starts_.back() : static_cast<std::uint32_t>(getSize());
    const std::size_t landings_before = landings_.size();
    instruction();
    for (std::size_t i = landings_before; i < landings_.size(); ++i) L(landings_[i].back);
    if (isa::is_wide(insn_)) ++at_;
  }
  if (zero_exit_) {
    L(*zero_exit_);
    xor_(eax, eax);
    return_from();
  }
  if (is_main_of_throwing_) land_thrown();
  pass_gate(index);
  landings();
}

void Emitter::instruction() {
  switch (isa::operation_of(insn_)) {
    case Operation::kNone:
    case Operation::kEnd:
      throw Xbyak::Error(Xbyak::ERR_BAD_PARAMETER);
#define ALU(name, ...)                            \
  case Operation::name##64_imm:                   \
    return alu_##name(immediate_operands(true));  \
  case Operation::name##64_reg:                   \
    return alu_##name(operands(true, true));      \
  case Operation::name##32_imm:                   \
    return alu_##name(immediate_operands(false)); \
  case Operation::name##32_reg:                   \
    return alu_##name(operands(false, true));
#define MOVSX(name, kind, bits, ...) \
  case Operation::name:              \
    return sign_extend(bits, Class::kind == Class::kAlu64);
#define UNARY(name, kind, source, operation, imm, ...) \
  case Operation::name:                                \
    return unary(Class::kind, isa::Alu::operation, source, imm);
#define JUMP(name, operation, ...)                                  \
  case Operation::name##64_imm:                                     \
    return branch(isa::Jump::operation, immediate_operands(true));  \
  case Operation::name##64_reg:                                     \
    return branch(isa::Jump::operation, operands(true, true));      \
  case Operation::name##32_imm:                                     \
    return branch(isa::Jump::operation, immediate_operands(false)); \
  case Operation::name##32_reg:                                     \
    return branch(isa::Jump::operation, operands(false, true));
#define SIZE(name, size, type, text)      \
  case Operation::load_##name:            \
  case Operation::load_acquire_##name:    \
    return load(sizeof(type));            \
  case Operation::store_imm_##name:       \
    return store_immediate(sizeof(type)); \
  case Operation::store_##name:           \
  case Operation::store_release_##name:   \
    return store(sizeof(type));
#define SIGNED_SIZE(name, size, type, text) \
  case Operation::load_##name:              \
    return load_signed(sizeof(type));
#define PACKET_SIZE(name, size, type)        \
  case Operation::packet_abs_##name:         \
    return load_packet(sizeof(type), false); \
  case Operation::packet_ind_##name:         \
    return load_packet(sizeof(type), true);
#define ATOMIC(name, ...)            \
  case Operation::atomic_##name##32: \
    return atomic_##name(false);     \
  case Operation::atomic_##name##64: \
    return atomic_##name(true);
#define COMPARE_EXCHANGE(name, size, type) \
  case Operation::name:                    \
    return compare_exchange(sizeof(type) == 8);
#include "isa/opcodes.def"
    case Operation::load_imm64:
      return load_immediate();
    case Operation::goto_:
      return go_to(insn_.off);
    case Operation::gotol:
      return go_to(insn_.imm);
    case Operation::may_goto:
      return may_go_to();
    case Operation::call_helper:
      return call_helper();
    case Operation::call_kfunc:
      return call_kfunc();
    case Operation::call_function:
      return call_function();
    case Operation::exit_:
      return return_from();
  }
}

Emitter::Operands Emitter::operands(bool is_wide, bool by_register) const {
  return {native(insn_.dst()), native(insn_.src()), insn_.imm, is_wide, by_register};
}

// What stands beside an instruction with an immediate; blinded, it is one by register.
Emitter::Operands Emitter::immediate_operands(bool is_wide) {
  Operands by = operands(is_wide, false);
  if (random_ == 0) return by;
  blind(insn_.imm);
  by.from = rdi;
  by.by_register = true;
  return by;
}

void Emitter::blind(std::int64_t value) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const std::uint64_t key = random_;
  mov(rdi, static_cast<std::uint64_t>(value) ^ key);
  mov(r11, key);
  xor_(rdi, r11);
}

Emitter::Label& Emitter::label_of(std::int64_t at) { return labels_.at(static_cast<std::size_t>(at)); }

Emitter::Label& Emitter::function_at(std::int64_t start) {
  const auto& all = source_.subprograms;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [start](const verifier::Subprogram& one) { return one.start == start; });
  if (found == all.end()) throw Xbyak::Error(Xbyak::ERR_LABEL_IS_NOT_FOUND);
  return functions_[static_cast<std::size_t>(found - all.begin())];
}

}  // namespace portolan::jit
