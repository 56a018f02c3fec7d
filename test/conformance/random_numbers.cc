// SPDX-License-Identifier: Apache-2.0
#include "random_maker.h"

namespace portolan::conformance {

std::int32_t ProgramMaker::constant() {
  switch (dice_.below(6)) {
    case 0:
      return static_cast<std::int32_t>(
          dice_.of({0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 47, 48, 63, 64, 255, 256}));
    case 1:
      return -static_cast<std::int32_t>(dice_.below(70));
    case 2:
      return static_cast<std::int32_t>(
          dice_.of({0x7fffffff, 0x80000000, 0xffffffff, 0xffff, 0x8000, 0x10000}));
    default:
      return static_cast<std::int32_t>(dice_.below(100));
  }
}

void ProgramMaker::set_number(int reg) {
  if (dice_.one_in(4))
    code_.set64(reg, dice_.bits() >> dice_.below(64));
  else if (dice_.one_in(3))
    code_.raw(0xb4, reg, 0, 0, constant());
  else
    code_.set(reg, constant());
  regs_[static_cast<std::size_t>(reg)] = {.kind = Kind::kNumber};
}

int ProgramMaker::any_of(Kind kind, int least) {
  std::vector<int> found;
  for (int reg = least; reg < 10; ++reg)
    if (at(reg).kind == kind) found.push_back(reg);
  return found.empty() ? -1 : found[dice_.below(found.size())];
}

int ProgramMaker::number_reg() {
  int reg = any_of(Kind::kNumber);
  if (reg < 0) set_number(reg = 8);
  return reg;
}

int ProgramMaker::scratch_reg() {
  return static_cast<int>(dice_.below(10)) == 6 ? 2 : static_cast<int>(dice_.of({0, 1, 2, 3, 4, 5, 7, 8, 9}));
}

void ProgramMaker::forget_caller_saved() {
  for (int reg = 0; reg <= 5; ++reg) at(reg) = {};
}

void ProgramMaker::arithmetic() {
  static constexpr std::uint8_t ops[] = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60,
                                         0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0};
  const int to = number_reg();
  const std::uint8_t op = ops[dice_.below(std::size(ops))], size = dice_.one_in(2) ? kAlu : kAlu64;
  at(to).is_small = false;
  if (op == 0x80) {
    code_.raw(static_cast<std::uint8_t>(size | op), to, 0, 0, 0);
  } else if (dice_.one_in(2)) {
    const bool is_signed = (op == 0x30 || op == 0x90) && dice_.one_in(4);
    const bool extends = op == 0xb0 && dice_.one_in(2);
    const std::int16_t off = is_signed ? 1
                             : extends
                                 ? static_cast<std::int16_t>(dice_.of({8, 16, size == kAlu64 ? 32u : 8u}))
                                 : 0;
    code_.raw(static_cast<std::uint8_t>(size | op | kByRegister), to, number_reg(), off, 0);
  } else {
    std::int32_t imm = constant();
    if (op == 0x60 || op == 0x70 || op == 0xc0)
      imm = static_cast<std::int32_t>(dice_.below(size == kAlu ? 32 : 64));
    if ((op == 0x30 || op == 0x90) && imm == 0) imm = 3;
    code_.raw(static_cast<std::uint8_t>(size | op), to, 0, 0, imm);
  }
}

void ProgramMaker::swap() {
  const int to = number_reg();
  at(to).is_small = false;
  code_.raw(static_cast<std::uint8_t>(dice_.of({0xd4, 0xdc, 0xd7})), to, 0, 0,
            static_cast<std::int32_t>(dice_.of({16, 32, 64})));
}

void ProgramMaker::make_small(int reg) {
  code_.raw(dice_.one_in(2) ? 0x54 : 0x57, reg, 0, 0, 7);
  at(reg).is_small = true;
}

void ProgramMaker::spill() {
  const int slot = static_cast<int>(dice_.below(8));
  int reg = dice_.one_in(3) ? any_of(Kind::kValue) : -1;
  if (reg < 0) reg = number_reg();
  code_.store(Bytecode::kDouble, 10, -8 * (slot + 1), reg);
  slots_[static_cast<std::size_t>(slot)] = at(reg);
}

void ProgramMaker::store_small_on_stack() {
  const int slot = static_cast<int>(dice_.below(8)), size = static_cast<int>(dice_.of({1, 2, 4}));
  if (slots_[static_cast<std::size_t>(slot)].kind != Kind::kNumber) return;
  const int at_byte = static_cast<int>(dice_.below(static_cast<std::uint64_t>(8 / size))) * size;
  if (dice_.one_in(2))
    code_.store_imm(Bytecode::size_of(static_cast<std::uint32_t>(size)), 10, -8 * (slot + 1) + at_byte,
                    constant());
  else
    code_.store(Bytecode::size_of(static_cast<std::uint32_t>(size)), 10, -8 * (slot + 1) + at_byte,
                number_reg());
  slots_[static_cast<std::size_t>(slot)].is_small = false;
}

void ProgramMaker::fill() {
  const auto slot = static_cast<std::size_t>(dice_.below(8));
  const Reg& held = slots_[slot];
  if (held.kind == Kind::kNothing) return;
  const int to = scratch_reg();
  const int where = -8 * (static_cast<int>(slot) + 1);
  if (held.kind == Kind::kNumber && dice_.one_in(3)) {
    const std::uint32_t size = static_cast<std::uint32_t>(dice_.of({1, 2, 4}));
    const int inside = static_cast<int>(dice_.below(8 / size) * size);
    if (dice_.one_in(3))
      code_.raw(static_cast<std::uint8_t>(0x81 | Bytecode::size_of(size)), to, 10,
                static_cast<std::int16_t>(where + inside), 0);
    else
      code_.load(Bytecode::size_of(size), to, 10, where + inside);
    at(to) = {.kind = Kind::kNumber};
    return;
  }
  code_.load(Bytecode::kDouble, to, 10, where);
  at(to) = held;
}

void ProgramMaker::stack_by_number() {
  // Numbers lie in all of fp-64 … fp-1 only once each has been written.
  for (const Reg& slot : slots_)
    if (slot.kind != Kind::kNumber) return;
  const int index = saved_reg(), to = scratch_reg();
  if (at(index).kind != Kind::kNumber || index == to) return;
  make_small(index);
  code_.move(to, 10).raw(0x0f, to, index, 0, 0);
  const std::int32_t off = -static_cast<std::int32_t>(dice_.of({16, 32, 63, 64}));
  if (dice_.one_in(2)) {
    code_.store_imm(Bytecode::kByte, to, off, constant());
    for (Reg& slot : slots_) slot.is_small = false;
    at(to) = {};
  } else {
    code_.load(Bytecode::kByte, to, to, off);
    at(to) = {.kind = Kind::kNumber};
  }
}

}  // namespace portolan::conformance
