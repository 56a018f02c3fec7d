// SPDX-License-Identifier: Apache-2.0
#include "random_maker.h"
#include "random_statements.h"

namespace portolan::conformance {
namespace {

constexpr int kValueBytes[kVerdictMaps] = {48, 32, 16, 16, 64, 64, 0, 8, 0, 0};

constexpr std::int32_t kLookup = 1, kUpdate = 2, kDelete = 3, kSpinLock = 93, kSpinUnlock = 94;

}  // namespace

void ProgramMaker::put_key(VerdictMap map, bool may_miss) {
  if (map == kTable)
    code_.store_imm(Bytecode::kDouble, 10, -72, static_cast<std::int32_t>(dice_.below(may_miss ? 14 : 8)));
  else
    code_.store_imm(Bytecode::kWord, 10, -72, static_cast<std::int32_t>(dice_.below(may_miss ? 5 : 2)));
}

void ProgramMaker::look_up() {
  const auto map = static_cast<VerdictMap>(
      dice_.of({kNumbers, kNumbers, kTable, kTable, kCounters, kGlobals, kConstants}));
  put_key(map, true);
  code_.map(1, static_cast<int>(map)).move(2, 10).add(2, -72).call(kLookup);
  forget_caller_saved();
  const int to = dice_.one_in(2) ? 0 : saved_reg();
  if (to != 0) code_.move(to, 0);
  if (to != 0 && dice_.one_in(2))
    code_.jump(0x15, 0, 0, exit_);
  else
    code_.jump(0x15, to, 0, exit_);
  at(to) = {.kind = Kind::kValue, .map = map};
  if (to != 0) at(0) = {.kind = Kind::kValue, .map = map};
}

void ProgramMaker::global() {
  const int to = scratch_reg();
  const auto map = dice_.one_in(3) ? kConstants : kGlobals;
  const int off = static_cast<int>(dice_.below(8)) * 8;
  code_.raw(0x18, to, 2, 0, static_cast<std::int32_t>(map)).raw(0, 0, 0, 0, off);
  at(to) = {.kind = Kind::kValue, .map = map, .off = off};
}

void ProgramMaker::value_access() {
  const int pointer = any_of(Kind::kValue);
  if (pointer < 0) return look_up();
  const Reg value = at(pointer);
  const std::uint32_t size = static_cast<std::uint32_t>(dice_.of({1, 2, 4, 8}));
  const int room = kValueBytes[value.map] - value.off - static_cast<int>(size);
  if (room < 0) return;
  int off =
      static_cast<int>(dice_.below(static_cast<std::uint64_t>(room / static_cast<int>(size) + 1)) * size);
  if (value.map == kLocked) off = 8;
  const bool is_constant = value.map == kConstants;
  switch (is_constant ? 0 : dice_.below(4)) {
    case 0: {
      const int to = scratch_reg();
      if (size != 8 && dice_.one_in(4))
        code_.raw(static_cast<std::uint8_t>(0x81 | Bytecode::size_of(size)), to, pointer,
                  static_cast<std::int16_t>(off), 0);
      else
        code_.load(Bytecode::size_of(size), to, pointer, off);
      at(to) = {.kind = Kind::kNumber};
      return;
    }
    case 1:
      code_.store_imm(Bytecode::size_of(size), pointer, off, constant());
      return;
    case 2:
      code_.store(Bytecode::size_of(size), pointer, off, number_reg());
      return;
    default:
      atomic(pointer, off, size);
  }
}

void ProgramMaker::atomic(int pointer, int off, std::uint32_t size) {
  if (size < 4) return;
  const int other = number_reg();
  static constexpr std::int32_t ops[] = {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1};
  at(other).is_small = false;
  code_.raw(size == 8 ? 0xdb : 0xc3, pointer, other, static_cast<std::int16_t>(off),
            ops[dice_.below(std::size(ops))]);
}

void ProgramMaker::value_by_number() {
  const int pointer = any_of(Kind::kValue), index = number_reg(), to = scratch_reg();
  if (pointer < 0 || to == index || to == pointer || at(pointer).map == kLocked) return;
  if (kValueBytes[at(pointer).map] - at(pointer).off < 8) return;
  const Reg value = at(pointer);
  if (!at(index).is_small) {
    if (dice_.one_in(3)) {
      // By a branch instead of a mask.
      const int skip = code_.new_label();
      code_.jump(dice_.one_in(2) ? 0x25 : 0x26, index, 7, exit_);
      code_.here(skip);
      if (dice_.one_in(2)) return;  // and then not used
      make_small(index);
    } else {
      make_small(index);
    }
  }
  code_.move(to, pointer).raw(0x0f, to, index, 0, 0);
  at(to) = {};
  if (value.map != kConstants && dice_.one_in(2)) {
    code_.store(Bytecode::kByte, to, 0, index);
    at(to) = {};
  } else {
    code_.load(Bytecode::kByte, to, to, 0);
    at(to) = {.kind = Kind::kNumber};
  }
}

void ProgramMaker::update() {
  const auto map = static_cast<VerdictMap>(dice_.of({kNumbers, kTable, kTable, kCounters}));
  put_key(map, true);
  for (int i = 0; i < kValueBytes[map]; i += 8) code_.store_imm(Bytecode::kDouble, 10, -128 + i, constant());
  code_.map(1, static_cast<int>(map)).move(2, 10).add(2, -72).move(3, 10).add(3, -128);
  code_.set(4, static_cast<std::int32_t>(dice_.of({0, 0, 1, 2, 3}))).call(kUpdate);
  forget_caller_saved();
  at(0) = {.kind = Kind::kNumber};
}

void ProgramMaker::remove() {
  put_key(kTable, true);
  code_.map(1, kTable).move(2, 10).add(2, -72).call(kDelete);
  forget_caller_saved();
  at(0) = {.kind = Kind::kNumber};
}

void ProgramMaker::locked() {
  if (program_.type == 1 || program_.type == 17) return;
  put_key(kLocked, false);
  const int value = saved_reg();
  code_.map(1, kLocked).move(2, 10).add(2, -72).call(kLookup);
  forget_caller_saved();
  code_.jump(0x15, 0, 0, exit_).move(value, 0).move(1, 0).call(kSpinLock);
  code_.load(Bytecode::kDouble, 1, value, 8).add(1, constant()).store(Bytecode::kDouble, value, 8, 1);
  code_.move(1, value).call(kSpinUnlock);
  at(value) = {.kind = Kind::kValue, .map = kLocked};
}

void ProgramMaker::other_maps() {
  const int kept = saved_reg(), number = number_reg();
  switch (dice_.below(6)) {
    case 4:
      use_dynptr(dice_, code_, number, exit_);
      break;
    case 0:
      reserve_record(dice_, code_, kept, number == kept ? 10 : number, exit_);
      at(kept) = {.kind = Kind::kNumber};
      break;
    case 1:
      put_out_record(dice_, code_);
      break;
    case 2:
      use_queue(dice_, code_);
      break;
    case 3:
      look_up_inner(dice_, code_, kept, exit_);
      at(kept) = {.kind = Kind::kValue, .map = kNumbers};
      break;
    default:
      if (at(6).kind != Kind::kContext) return;
      call_nobody(dice_, code_);
      for (Reg& reg : regs_)
        if (reg.kind == Kind::kPacket || reg.kind == Kind::kPacketEnd) reg = {};
  }
  forget_caller_saved();
}

}  // namespace portolan::conformance
