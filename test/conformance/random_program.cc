// SPDX-License-Identifier: Apache-2.0
// Programs are made of steps that are right by themselves (a lookup with its null check, a packet access with
// its bounds check, a loop that ends), of registers whose kind the generator keeps in mind. Some are then
// tampered with.
//
// Untampered programs never turn a pointer into a number, so what they return and store is the same wherever
// they run.
#include <array>
#include <optional>

#include "dice.h"
#include "random_statements.h"
#include "verdicts.h"

namespace portolan::conformance {
namespace {

enum class Kind : std::uint8_t { kNothing, kNumber, kContext, kValue, kPacket, kPacketEnd };
struct Reg {
  Kind kind = Kind::kNothing;
  VerdictMap map = kNumbers;  // kValue
  int off = 0;                // kValue: bytes into it
  int range = 0;              // kPacket: bytes that are there
  bool is_small = false;      // kNumber: 0 … 7
};
constexpr int kValueBytes[kVerdictMaps] = {48, 32, 16, 16, 64, 64, 0, 8, 0, 0};

constexpr std::int32_t kLookup = 1, kUpdate = 2, kDelete = 3, kSpinLock = 93, kSpinUnlock = 94,
                       kForEach = 164, kLoop = 181;
constexpr std::uint8_t kAlu = 0x04, kAlu64 = 0x07, kJmp = 0x05, kJmp32 = 0x06, kByRegister = 0x08;

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : dice_(seed) {}

  RandomProgram make() {
    static constexpr std::uint32_t types[] = {6, 6, 1, 3, 31, 17};
    program_.type = types[dice_.below(std::size(types))];
    if (program_.type == 31) program_.flags = 16;
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

 private:
  using Regs = std::array<Reg, 11>;
  bool is_packet_type() const { return program_.type == 6 || program_.type == 3; }

  // --- numbers
  std::int32_t constant() {
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
  void set_number(int reg) {
    if (dice_.one_in(4))
      code_.set64(reg, dice_.bits() >> dice_.below(64));
    else if (dice_.one_in(3))
      code_.raw(0xb4, reg, 0, 0, constant());
    else
      code_.set(reg, constant());
    regs_[static_cast<std::size_t>(reg)] = {.kind = Kind::kNumber};
  }
  Reg& at(int reg) { return regs_[static_cast<std::size_t>(reg)]; }
  int any_of(Kind kind, int least = 0) {
    std::vector<int> found;
    for (int reg = least; reg < 10; ++reg)
      if (at(reg).kind == kind) found.push_back(reg);
    return found.empty() ? -1 : found[dice_.below(found.size())];
  }
  int number_reg() {
    int reg = any_of(Kind::kNumber);
    if (reg < 0) set_number(reg = 8);
    return reg;
  }
  int saved_reg() { return 7 + static_cast<int>(dice_.below(3)); }  // survives calls
  int scratch_reg() {
    return static_cast<int>(dice_.below(10)) == 6 ? 2
                                                  : static_cast<int>(dice_.of({0, 1, 2, 3, 4, 5, 7, 8, 9}));
  }
  void forget_caller_saved() {
    for (int reg = 0; reg <= 5; ++reg) at(reg) = {};
  }

  void arithmetic() {
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
  void swap() {
    const int to = number_reg();
    at(to).is_small = false;
    code_.raw(static_cast<std::uint8_t>(dice_.of({0xd4, 0xdc, 0xd7})), to, 0, 0,
              static_cast<std::int32_t>(dice_.of({16, 32, 64})));
  }
  void make_small(int reg) {
    code_.raw(dice_.one_in(2) ? 0x54 : 0x57, reg, 0, 0, 7);
    at(reg).is_small = true;
  }

  // --- stack: eight numbers at fp-8 … fp-64; keys at fp-72, values at fp-128
  void spill() {
    const int slot = static_cast<int>(dice_.below(8));
    int reg = dice_.one_in(3) ? any_of(Kind::kValue) : -1;
    if (reg < 0) reg = number_reg();
    code_.store(Bytecode::kDouble, 10, -8 * (slot + 1), reg);
    slots_[static_cast<std::size_t>(slot)] = at(reg);
  }
  void store_small_on_stack() {
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
  void fill() {
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
  void stack_by_number() {
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

  // --- maps
  void put_key(VerdictMap map, bool may_miss) {
    if (map == kTable)
      code_.store_imm(Bytecode::kDouble, 10, -72, static_cast<std::int32_t>(dice_.below(may_miss ? 14 : 8)));
    else
      code_.store_imm(Bytecode::kWord, 10, -72, static_cast<std::int32_t>(dice_.below(may_miss ? 5 : 2)));
  }
  void look_up() {
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
  void global() {
    const int to = scratch_reg();
    const auto map = dice_.one_in(3) ? kConstants : kGlobals;
    const int off = static_cast<int>(dice_.below(8)) * 8;
    code_.raw(0x18, to, 2, 0, static_cast<std::int32_t>(map)).raw(0, 0, 0, 0, off);
    at(to) = {.kind = Kind::kValue, .map = map, .off = off};
  }
  void value_access() {
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
  void atomic(int pointer, int off, std::uint32_t size) {
    if (size < 4) return;
    const int other = number_reg();
    static constexpr std::int32_t ops[] = {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1};
    at(other).is_small = false;
    code_.raw(size == 8 ? 0xdb : 0xc3, pointer, other, static_cast<std::int16_t>(off),
              ops[dice_.below(std::size(ops))]);
  }
  void value_by_number() {
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
  void update() {
    const auto map = static_cast<VerdictMap>(dice_.of({kNumbers, kTable, kTable, kCounters}));
    put_key(map, true);
    for (int i = 0; i < kValueBytes[map]; i += 8)
      code_.store_imm(Bytecode::kDouble, 10, -128 + i, constant());
    code_.map(1, static_cast<int>(map)).move(2, 10).add(2, -72).move(3, 10).add(3, -128);
    code_.set(4, static_cast<std::int32_t>(dice_.of({0, 0, 1, 2, 3}))).call(kUpdate);
    forget_caller_saved();
    at(0) = {.kind = Kind::kNumber};
  }
  void remove() {
    put_key(kTable, true);
    code_.map(1, kTable).move(2, 10).add(2, -72).call(kDelete);
    forget_caller_saved();
    at(0) = {.kind = Kind::kNumber};
  }
  void locked() {
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

  void other_maps() {
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

  // --- packets and contexts
  void context() {
    if (at(6).kind != Kind::kContext) return;
    const int to = scratch_reg();
    if (program_.type == 31 || program_.type == 17) {
      code_.load(Bytecode::kDouble, to, 6, static_cast<int>(dice_.below(8)) * 8);
      if (program_.type == 31 && dice_.one_in(3))
        code_.store(Bytecode::kDouble, 6, static_cast<int>(dice_.below(8)) * 8, to);
    } else if (program_.type == 6) {
      code_.load(Bytecode::kWord, to, 6, 16);
    } else {
      code_.load(Bytecode::kWord, to, 6, static_cast<int>(dice_.of({0, 4, 8, 16, 32, 48, 52})));
      if (dice_.one_in(3)) code_.store(Bytecode::kWord, 6, 48 + 4 * static_cast<int>(dice_.below(5)), to);
    }
    at(to) = {.kind = Kind::kNumber};
  }
  void packet() {
    if (!is_packet_type()) return context();
    const int data = saved_reg(), end = data == 9 ? 8 : 9, probe = 2;
    const int length = 1 + static_cast<int>(dice_.below(40));
    code_.load(Bytecode::kWord, data, 6, program_.type == 6 ? 0 : 76);
    code_.load(Bytecode::kWord, end, 6, program_.type == 6 ? 4 : 80);
    code_.move(probe, data).add(probe, length);
    // if (probe > end) goto exit, in one of its forms
    jump_by_register(dice_.one_in(2) ? 0x2d : 0xad, probe, end, length);
    at(data) = {.kind = Kind::kPacket, .range = length};
    at(end) = {.kind = Kind::kPacketEnd};
    at(probe) = {};
  }
  void jump_by_register(std::uint8_t code, int probe, int end, int) {
    if (code == 0x2d)
      code_.jump_to(0x2d, probe, end, exit_);
    else
      code_.jump_to(0xad, end, probe, exit_);  // if (end < probe)
  }
  void packet_access() {
    const int data = any_of(Kind::kPacket);
    if (data < 0) return packet();
    const std::uint32_t size = static_cast<std::uint32_t>(dice_.of({1, 2, 4}));
    const int room = at(data).range - static_cast<int>(size);
    if (room < 0) return;
    const int off = static_cast<int>(dice_.below(static_cast<std::uint64_t>(room) + 1)), to = scratch_reg();
    if (dice_.one_in(3)) {
      code_.store(Bytecode::size_of(size), data, off, number_reg());
    } else if (to != data) {
      code_.load(Bytecode::size_of(size), to, data, off);
      at(to) = {.kind = Kind::kNumber};
    }
  }
  void packet_by_number() {
    const int data = any_of(Kind::kPacket), end = any_of(Kind::kPacketEnd), index = number_reg();
    if (data < 0 || end < 0) return packet();
    code_.raw(0x57, index, 0, 0, static_cast<std::int32_t>(dice_.of({7, 15, 31})));
    at(index).is_small = false;
    code_.move(3, data).raw(0x0f, 3, index, 0, 0).move(4, 3).add(4, 4);
    code_.jump_to(0x2d, 4, end, exit_);
    at(3) = {};
    at(4) = {};
    code_.load(Bytecode::kWord, 5, 3, 0);
    at(5) = {.kind = Kind::kNumber};
    if (index == 3 || index == 4 || index == 5) at(index) = index == 5 ? at(5) : Reg{};
  }

  // --- flow
  // What is known where two ways meet.
  static void join(Regs& into, const Regs& other) {
    for (std::size_t i = 0; i < into.size(); ++i) {
      const bool same =
          into[i].kind == other[i].kind && into[i].map == other[i].map && into[i].off == other[i].off;
      if (!same) {
        into[i] = {};
        continue;
      }
      into[i].range = std::min(into[i].range, other[i].range);
      into[i].is_small = into[i].is_small && other[i].is_small;
    }
  }
  void branch(int depth) {
    static constexpr std::uint8_t ops[] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0};
    const int left = number_reg(), skip = code_.new_label();
    const std::uint8_t code =
        static_cast<std::uint8_t>(ops[dice_.below(std::size(ops))] | (dice_.one_in(2) ? kJmp : kJmp32));
    if (dice_.one_in(3))
      code_.jump_to(static_cast<std::uint8_t>(code | kByRegister), left, number_reg(), skip);
    else
      code_.jump(code, left, constant(), skip);
    const Regs before = regs_;
    const auto slots_before = slots_;
    steps(1 + static_cast<int>(dice_.below(3)), depth + 1);
    if (dice_.one_in(4)) {  // the other side has something to do, too
      const int end = code_.new_label();
      code_.jump(0x05, 0, 0, end);
      code_.here(skip);
      Regs after = regs_;
      auto slots_after = slots_;
      regs_ = before;
      slots_ = slots_before;
      steps(1 + static_cast<int>(dice_.below(2)), depth + 1);
      code_.here(end);
      join(regs_, after);
      join_slots(slots_after);
      return;
    }
    code_.here(skip);
    join(regs_, before);
    join_slots(slots_before);
  }
  void join_slots(const std::array<Reg, 8>& other) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const bool same =
          slots_[i].kind == other[i].kind && slots_[i].map == other[i].map && slots_[i].off == other[i].off;
      if (!same) slots_[i] = {};
      slots_[i].is_small = false;
    }
  }
  void loop(int depth) {
    const int counter = saved_reg(), again = code_.new_label();
    const std::int32_t rounds = 1 + static_cast<std::int32_t>(dice_.below(12));
    code_.set(counter, 0);
    at(counter) = {};  // the body keeps off it
    const bool is_may_goto = dice_.one_in(6);
    const int out = code_.new_label();
    // What the body changes must be right the second time round as well: only kinds that stay.
    code_.here(again);
    if (is_may_goto) code_.jump(0xe5, 0, 0, out);
    Regs start = regs_;
    const auto slots_start = slots_;
    for (Reg& reg : regs_) reg.is_small = false;
    const int reserved = reserved_;
    reserved_ |= 1 << counter;
    const int body = static_cast<int>(1 + dice_.below(2));
    for (int i = 0; i < body; ++i) dice_.one_in(2) ? arithmetic() : global_step();
    reserved_ = reserved;
    at(counter) = {};
    code_.add(counter, 1);
    code_.jump(dice_.one_in(2) ? 0xa5 : 0x55, counter, rounds, again);
    code_.here(out);
    join(regs_, start);
    join_slots(slots_start);
    at(counter) = {.kind = Kind::kNumber};
    if (is_may_goto) at(counter) = {.kind = Kind::kNumber};
    (void)depth;
  }
  void global_step() {
    code_.raw(0x18, 5, 2, 0, kGlobals).raw(0, 0, 0, 0, 0);
    code_.load(Bytecode::kDouble, 4, 5, 8).add(4, constant()).store(Bytecode::kDouble, 5, 8, 4);
    at(5) = {};
    at(4) = {};
  }
  void call_function() {
    if (functions_.size() >= 3) return;
    const int label = code_.new_label();
    functions_.push_back({label, false});
    for (int reg = 1; reg <= 2; ++reg) code_.move(reg, number_reg());
    code_.call_to(label);
    forget_caller_saved();
    at(0) = {.kind = Kind::kNumber};
  }
  void call_back() {
    if (functions_.size() >= 3) return;
    const int label = code_.new_label();
    functions_.push_back({label, true});
    code_.store_imm(Bytecode::kDouble, 10, -136, constant());
    if (dice_.one_in(2)) {
      code_.set(1, static_cast<std::int32_t>(dice_.below(20)))
          .function(2, label)
          .move(3, 10)
          .add(3, -136)
          .set(4, 0)
          .call(kLoop);
      functions_.back().is_loop = true;
    } else {
      code_.map(1, static_cast<int>(dice_.of({kNumbers, kTable})))
          .function(2, label)
          .move(3, 10)
          .add(3, -136)
          .set(4, 0)
          .call(kForEach);
    }
    forget_caller_saved();
    code_.load(Bytecode::kDouble, 0, 10, -136);
    at(0) = {.kind = Kind::kNumber};
  }

  void steps(int count, int depth) {
    for (int i = 0; i < count; ++i) step(depth);
  }
  void step(int depth) {
    switch (dice_.below(depth < 2 ? 29 : 16)) {
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
        return loop(depth);
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
      case 21:
        return locked();
      case 22:
        return call_function();
      default:
        return call_back();
    }
  }
  int reserve_free(int reg) const { return (reserved_ >> reg & 1) != 0 ? 0 : reg; }

  void finish_main() {
    code_.move(0, number_reg());
    code_.exit();
    code_.here(exit_);
    code_.set(0, static_cast<std::int32_t>(dice_.below(3))).exit();
  }
  void function(std::size_t index) {
    const Callee callee = functions_[index];
    code_.here(callee.label);
    program_.functions.push_back(static_cast<std::uint32_t>(code_.size()));
    program_.is_callback.push_back(callee.is_callback);
    regs_ = {};
    slots_ = {};
    if (!callee.is_callback) {
      at(1) = {.kind = Kind::kNumber};
      at(2) = {.kind = Kind::kNumber};
      for (std::uint32_t i = dice_.below(6); i != 0; --i) arithmetic_on_two();
      code_.move(0, 1).exit();
      return;
    }
    // for_each: map, key, value, what was given; bpf_loop: index, what was given
    const int given = callee.is_loop ? 2 : 4;
    // What adds up in it stays small, so that the checks of many rounds come to an end.
    code_.load(Bytecode::kDouble, 5, given, 0);
    if (callee.is_loop)
      code_.move(0, 1);
    else
      code_.load(Bytecode::kWord, 0, 3, 0);
    code_.raw(0x57, 0, 0, 0, 255).raw(0x4f, 5, 0, 0, 0).raw(0x57, 5, 0, 0, 255);
    code_.store(Bytecode::kDouble, given, 0, 5).set(0, callee.is_loop && dice_.one_in(4) ? 1 : 0).exit();
  }
  void arithmetic_on_two() {
    static constexpr std::uint8_t ops[] = {0x0f, 0x1f, 0x2f, 0x4f, 0x5f, 0xaf, 0x0c, 0x1c, 0x2c};
    code_.raw(ops[dice_.below(std::size(ops))], 1, 2, 0, 0);
  }

  void tamper() {
    program_.is_tampered = true;
    auto& insns = program_.insns;
    for (std::uint32_t i = 1 + dice_.below(2); i != 0; --i) {
      Bytecode::Insn& insn = insns[dice_.below(insns.size())];
      switch (dice_.below(8)) {
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
        default:
          if (insn.code != 0x18 && insn.code != 0) insn = {0x05, 0, 0, 0};  // it is left out
          break;
      }
    }
  }

  struct Callee {
    int label;
    bool is_callback, is_loop = false;
  };
  Dice dice_;
  Bytecode code_;
  RandomProgram program_;
  Regs regs_;
  std::array<Reg, 8> slots_;
  std::vector<Callee> functions_;
  int exit_ = 0, reserved_ = 0;
};

}  // namespace

RandomProgram random_program(std::uint64_t seed) { return Maker(seed).make(); }

}  // namespace portolan::conformance
