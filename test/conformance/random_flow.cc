// SPDX-License-Identifier: Apache-2.0
#include "kfuncs.h"
#include "random_maker.h"

namespace portolan::conformance {
namespace {

constexpr std::int32_t kForEach = 164, kLoop = 181;

}  // namespace

// What is known where two ways meet.
void ProgramMaker::join(Regs& into, const Regs& other) {
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

void ProgramMaker::join_slots(const Slots& other) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const bool same =
        slots_[i].kind == other[i].kind && slots_[i].map == other[i].map && slots_[i].off == other[i].off;
    if (!same) slots_[i] = {};
    slots_[i].is_small = false;
  }
}

void ProgramMaker::branch(int depth) {
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

void ProgramMaker::loop() {
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
}

// bpf_for, in an RCU section or not; in another one it has a place of its own.
void ProgramMaker::iterate(int depth) {
  static const std::int32_t make = kfunc_id("bpf_iter_num_new"), next = kfunc_id("bpf_iter_num_next"),
                            destroy = kfunc_id("bpf_iter_num_destroy"), lock = kfunc_id("bpf_rcu_read_lock"),
                            unlock = kfunc_id("bpf_rcu_read_unlock");
  if (make == 0 || lock == 0) return;
  const int place = -208 - 8 * depth, again = code_.new_label(), out = code_.new_label();
  const bool has_section = depth == 0 && dice_.one_in(4);
  const auto call = [&](std::int32_t function) { code_.move(1, 10).add(1, place).call_kfunc(function); };
  if (has_section) code_.call_kfunc(lock);
  code_.move(1, 10).add(1, place).set(2, static_cast<std::int32_t>(dice_.below(10)));
  code_.set(3, static_cast<std::int32_t>(dice_.of({5, 20, 300}))).call_kfunc(make);
  forget_caller_saved();
  for (Reg& reg : regs_) reg.is_small = false;
  const Regs start = regs_;
  const auto slots_start = slots_;
  code_.here(again);
  call(next);
  code_.jump(0x15, 0, 0, out);
  if (dice_.one_in(30)) code_.load(Bytecode::kDouble, 1, 10, place);  // not the program's to see
  code_.load(Bytecode::kWord, 0, 0, 0);
  at(0) = {.kind = Kind::kNumber};
  for (std::uint32_t i = 1 + dice_.below(2); i != 0; --i) {
    switch (dice_.below(depth == 0 && dice_.one_in(3) ? 6 : 5)) {
      case 0:
        global_step();
        break;
      case 1:
        spill();
        break;
      case 2:
        fill();
        break;
      case 5:
        iterate(depth + 1);
        break;
      default:
        arithmetic();
    }
  }
  if (dice_.one_in(4)) code_.jump(0x25, number_reg(), constant(), out);
  code_.jump(0x05, 0, 0, again);
  code_.here(out);
  if (!dice_.one_in(40)) call(destroy);
  if (has_section && !dice_.one_in(20)) code_.call_kfunc(unlock);
  forget_caller_saved();
  join(regs_, start);
  join_slots(slots_start);
}

void ProgramMaker::global_step() {
  code_.raw(0x18, 5, 2, 0, kGlobals).raw(0, 0, 0, 0, 0);
  code_.load(Bytecode::kDouble, 4, 5, 8).add(4, constant()).store(Bytecode::kDouble, 5, 8, 4);
  at(5) = {};
  at(4) = {};
}

void ProgramMaker::call_function() {
  if (functions_.size() >= 3) return;
  const int label = code_.new_label();
  functions_.push_back({label, false});
  for (int reg = 1; reg <= 2; ++reg) code_.move(reg, number_reg());
  code_.call_to(label);
  forget_caller_saved();
  at(0) = {.kind = Kind::kNumber};
}

void ProgramMaker::call_back() {
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

void ProgramMaker::function(std::size_t index) {
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

void ProgramMaker::arithmetic_on_two() {
  static constexpr std::uint8_t ops[] = {0x0f, 0x1f, 0x2f, 0x4f, 0x5f, 0xaf, 0x0c, 0x1c, 0x2c};
  code_.raw(ops[dice_.below(std::size(ops))], 1, 2, 0, 0);
}

}  // namespace portolan::conformance
