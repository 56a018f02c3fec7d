// SPDX-License-Identifier: Apache-2.0
#include "random_statements.h"

#include "verdicts.h"

namespace portolan::conformance {
namespace {

constexpr std::int32_t kLookup = 1, kTailCall = 12, kPush = 87, kPop = 88, kPeek = 89, kOutput = 130,
                       kReserve = 131, kSubmit = 132, kDiscard = 133, kQuery = 134;
constexpr std::uint8_t kIfZero = 0x15;

void put_key(Bytecode& code, std::int32_t key) { code.store_imm(Bytecode::kWord, 10, -72, key); }

}  // namespace

void reserve_record(Dice& dice, Bytecode& code, int kept, int number, int exit) {
  const auto size = static_cast<std::int32_t>(dice.of({0, 4, 8, 16, 24, 40}));
  code.map(1, kRing).set(2, size).set(3, dice.one_in(8) ? 1 : 0).call(kReserve);
  const bool keeps_null = dice.one_in(3);
  if (keeps_null) code.move(kept, 0);
  code.jump(kIfZero, 0, 0, exit);
  if (!keeps_null) code.move(kept, 0);
  for (unsigned writes = dice.below(3); writes > 0 && size >= 8; --writes) {
    const auto off = static_cast<std::int32_t>(dice.below(static_cast<std::uint64_t>(size) / 8)) * 8;
    switch (dice.below(4)) {
      case 0:
        code.store_imm(Bytecode::kDouble, kept, off, static_cast<std::int32_t>(dice.below(100)));
        break;
      case 1:
        code.store(Bytecode::kDouble, kept, off, number);
        break;
      case 2:
        code.load(Bytecode::kWord, 1, kept, off);
        break;
      default:
        code.set(1, 1).raw(0xdb, kept, 1, static_cast<std::int16_t>(off), 0);
    }
  }
  if (dice.one_in(4)) {  // over the stack, where another slot may follow it
    code.store(Bytecode::kDouble, 10, -136, kept).load(Bytecode::kDouble, 1, 10, -136);
    code.store_imm(Bytecode::kDouble, 10, -136, 0);
  } else {
    code.move(1, kept);
  }
  if (dice.one_in(40)) return;  // it is never given back
  code.set(2, static_cast<std::int32_t>(dice.of({0, 1, 2}))).call(dice.one_in(4) ? kDiscard : kSubmit);
  code.set(kept, 0);
}

void put_out_record(Dice& dice, Bytecode& code) {
  for (int at = -128; at < -104; at += 8)
    code.store_imm(Bytecode::kDouble, 10, at, static_cast<std::int32_t>(dice.below(100)));
  if (dice.one_in(3)) {
    code.map(1, kRing).set(2, static_cast<std::int32_t>(dice.below(5))).call(kQuery);
    return;
  }
  code.map(1, kRing).move(2, 10).add(2, -128).set(3, static_cast<std::int32_t>(dice.of({0, 1, 8, 13, 24})));
  code.set(4, static_cast<std::int32_t>(dice.of({0, 1, 2, 3, 4}))).call(kOutput);
}

void use_queue(Dice& dice, Bytecode& code) {
  const unsigned what = dice.below(3);
  if (what == 0 || dice.one_in(4))
    code.store_imm(Bytecode::kDouble, 10, -80, static_cast<std::int32_t>(dice.below(100)));
  code.map(1, kLine).move(2, 10).add(2, -80);
  if (what == 0)
    code.set(3, static_cast<std::int32_t>(dice.of({0, 2, 1, 3}))).call(kPush);
  else
    code.call(what == 1 ? kPop : kPeek);
  if (what != 0 && dice.one_in(2)) code.load(Bytecode::kDouble, 0, 10, -80);
}

void look_up_inner(Dice& dice, Bytecode& code, int kept, int exit) {
  put_key(code, static_cast<std::int32_t>(dice.below(3)));
  code.map(1, kOuter).move(2, 10).add(2, -72).call(kLookup).jump(kIfZero, 0, 0, exit).move(kept, 0);
  put_key(code, static_cast<std::int32_t>(dice.below(5)));
  code.move(1, kept).move(2, 10).add(2, -72).call(kLookup).jump(kIfZero, 0, 0, exit).move(kept, 0);
}

void call_nobody(Dice& dice, Bytecode& code) {
  code.move(1, 6)
      .map(2, kPrograms)
      .set(3, static_cast<std::int32_t>(dice.below(4)))
      .call(kTailCall)
      .set(0, 0);
}

}  // namespace portolan::conformance
