// SPDX-License-Identifier: Apache-2.0
#include "random_maker.h"

namespace portolan::conformance {

RandomProgram ProgramMaker::make() {
  static constexpr std::uint32_t types[] = {6, 6, 1, 3, 31, 17};
  program_.type = types[dice_.below(std::size(types))];
  constexpr std::uint32_t kTestStateFreq = 8, kSleepable = 16;
  if (program_.type == 31) program_.flags = kSleepable;
  // Verifiers that compare states wherever they can find out most about how they do it.
  if (dice_.one_in(2)) program_.flags |= kTestStateFreq;
  regs_[1].kind = Kind::kContext;
  code_.move(6, 1);
  regs_[6].kind = Kind::kContext;
  exit_ = code_.new_label();
  for (int number = 7; number <= 9; ++number) set_number(number);
  steps(2 + static_cast<int>(dice_.below(25)), 0);
  finish_main();
  for (std::size_t i = 0; i < functions_.size(); ++i) function(i);
  program_.insns = code_.finish();
  if (dice_.percent(55)) tamper();
  return std::move(program_);
}

void ProgramMaker::steps(int count, int depth) {
  for (int i = 0; i < count; ++i) step(depth);
}

void ProgramMaker::step(int depth) {
  switch (dice_.below(depth < 2 ? 30 : 16)) {
    case 0:
      return set_number(reserve_free(scratch_reg()));
    case 1:
    case 2:
    case 3:
      return arithmetic();
    case 4:
      return swap();
    case 5:
      return spill();
    case 6:
      return fill();
    case 7:
      return store_small_on_stack();
    case 8:
    case 9:
      return value_access();
    case 10:
      return value_by_number();
    case 11:
      return context();
    case 12:
      return packet_access();
    case 13:
      return packet_by_number();
    case 14:
      return global();
    case 15:
      return stack_by_number();
    case 16:
    case 17:
      return branch(depth);
    case 18:
      return loop();
    case 19:
      return look_up();
    case 20:
      return dice_.one_in(2) ? update() : remove();
    case 24:
    case 25:
    case 26:
    case 27:
    case 28:
      return other_maps();
    case 29:
      return iterate(depth);
    case 21:
      return locked();
    case 22:
      return call_function();
    default:
      return call_back();
  }
}

void ProgramMaker::finish_main() {
  code_.move(0, number_reg());
  code_.exit();
  code_.here(exit_);
  code_.set(0, static_cast<std::int32_t>(dice_.below(3))).exit();
}

void ProgramMaker::tamper() {
  program_.is_tampered = true;
  auto& insns = program_.insns;
  for (std::uint32_t i = 1 + dice_.below(2); i != 0; --i) {
    Bytecode::Insn& insn = insns[dice_.below(insns.size())];
    switch (dice_.below(11)) {
      case 0:
        insn.off = static_cast<std::int16_t>(insn.off + static_cast<int>(dice_.below(17)) - 8);
        break;
      case 1:
      case 2:
        insn.imm += static_cast<std::int32_t>(dice_.below(33)) - 16;
        break;
      case 3:
        insn.imm = constant();
        break;
      case 4:
        insn.registers = static_cast<std::uint8_t>((insn.registers & 0xf0) | dice_.below(11));
        break;
      case 5:
        insn.registers = static_cast<std::uint8_t>((insn.registers & 0x0f) | dice_.below(11) << 4);
        break;
      case 6:
        insn.code = static_cast<std::uint8_t>(insn.code ^ 1u << dice_.below(8));
        break;
      case 7:
      case 8:
      case 9:  // what follows is left out on one of two paths
        if (insn.code != 0x18 && insn.code != 0)
          insn = {static_cast<std::uint8_t>(dice_.one_in(2) ? 0x15 : 0x25),
                  static_cast<std::uint8_t>(dice_.below(10)), static_cast<std::int16_t>(1 + dice_.below(3)),
                  constant()};
        break;
      default:
        if (insn.code != 0x18 && insn.code != 0) insn = {0x05, 0, 0, 0};  // it is left out
        break;
    }
  }
}

RandomProgram random_program(std::uint64_t seed) { return ProgramMaker(seed).make(); }

}  // namespace portolan::conformance
