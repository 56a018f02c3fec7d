// SPDX-License-Identifier: Apache-2.0
#include "random_statements.h"

#include "verdicts.h"

namespace portolan::conformance {
namespace {

constexpr std::int32_t kLookup = 1, kTailCall = 12, kPush = 87, kPop = 88, kPeek = 89, kOutput = 130,
                       kReserve = 131, kSubmit = 132, kDiscard = 133, kQuery = 134, kFromMem = 197,
                       kReserveDynptr = 198, kSubmitDynptr = 199, kDiscardDynptr = 200, kDynptrRead = 201,
                       kDynptrWrite = 202, kDynptrData = 203;
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

void use_dynptr(Dice& dice, Bytecode& code, int number, int exit) {
  const auto place = static_cast<std::int32_t>(dice.one_in(12) ? dice.of({144, 148, 160, 168}) : 152);
  const auto pointer = [&](int to) { code.move(to, 10).add(to, -place); };
  const bool is_record = dice.one_in(2);
  const auto size = static_cast<std::int32_t>(dice.of({0, 8, 16, 24, 40, 48, 64}));
  if (is_record)
    code.map(1, kRing);
  else
    code.map_value(1, kGlobals);
  code.set(2, size).set(3, dice.one_in(10) ? 1 : 0);
  pointer(4);
  code.call(is_record ? kReserveDynptr : kFromMem);
  bool is_held = is_record;
  for (unsigned uses = dice.below(5); uses > 0; --uses) {
    const auto length = static_cast<std::int32_t>(dice.of({0, 4, 8, 16, 24}));
    const auto offset = static_cast<std::int32_t>(dice.of({0, 4, 8, 24, 60, ~0u}));
    switch (dice.below(7)) {
      case 0:
      case 1:
        code.move(1, 10).add(1, -200).set(2, length);
        pointer(3);
        code.set(4, offset).set(5, dice.one_in(12) ? 1 : 0).call(kDynptrRead);
        break;
      case 2:
        code.store_imm(Bytecode::kDouble, 10, -200, 5).store_imm(Bytecode::kDouble, 10, -192, 6);
        code.store_imm(Bytecode::kDouble, 10, -184, 7).move(3, 10).add(3, -200);
        pointer(1);
        code.set(2, offset).set(4, length).set(5, 0).call(kDynptrWrite);
        break;
      case 3:
      case 4: {
        const int none = code.new_label();
        pointer(1);
        if (dice.one_in(6) && number != 10)
          code.move(2, number);
        else
          code.set(2, offset);
        code.set(3, length).call(kDynptrData).jump(kIfZero, 0, 0, none);
        const auto at = static_cast<std::int32_t>(dice.of({0, 0, 0, 8, 4}));
        if (dice.one_in(2))
          code.load(Bytecode::kWord, 1, 0, at);
        else
          code.store_imm(Bytecode::kWord, 0, at, 9);
        if (is_held && dice.one_in(10)) {  // the slice, after what it was of
          code.move(5, 0).store(Bytecode::kDouble, 10, -176, 0);
          pointer(1);
          code.set(2, 0).call(kSubmitDynptr).load(Bytecode::kDouble, 0, 10, -176);
          is_held = false;
          if (dice.one_in(2)) code.load(Bytecode::kByte, 1, 0, 0);
        }
        code.here(none);
        break;
      }
      case 5:
        if (dice.one_in(5))
          code.store_imm(Bytecode::kDouble, 10, static_cast<std::int32_t>(dice.of({144, 152})) * -1, 3);
        break;
      default:
        if (dice.one_in(12))
          code.load(Bytecode::kDouble, 0, 10, static_cast<std::int32_t>(dice.of({144, 152})) * -1);
        if (dice.one_in(12)) code.jump(kIfZero, 0, 0, exit);
    }
  }
  if (is_held && !dice.one_in(25)) {
    pointer(1);
    code.set(2, static_cast<std::int32_t>(dice.below(3)))
        .call(dice.one_in(3) ? kDiscardDynptr : kSubmitDynptr);
  }
  code.set(0, 0);
}

void call_nobody(Dice& dice, Bytecode& code) {
  code.move(1, 6)
      .map(2, kPrograms)
      .set(3, static_cast<std::int32_t>(dice.below(4)))
      .call(kTailCall)
      .set(0, 0);
}

}  // namespace portolan::conformance
