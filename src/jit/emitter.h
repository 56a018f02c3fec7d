// SPDX-License-Identifier: Apache-2.0
// Writes the machine code of one program, function by function. One native function for each of the
// program's:
//
//   R0 rax   R1 rsi   R2 rdx   R3 rcx   R4 r8   R5 r9   R6 rbx   R7 r13   R8 r14   R9 r15   R10 rbp   R11 r10
//   r12: the helper::Run; rdi and r11: free between instructions
//
// R1 to R5 are where C++ functions take the arguments after a first one, which is the run: a helper is called
// as it is. A frame, from high to low:
//
//   return address
//   rbp of the caller                         <- rbp, R10
//   stack_bytes of the program's stack, zeros if the function may read what it never wrote
//   8 bytes: how often may_goto still falls through, if there is one
//   those of rbx, r13, r14, r15 that the function writes; all of them in the main function of a program that
//   throws 8 bytes, there: the frame that throws led to before (Run::thrown_to)
#pragma once
#include <xbyak/xbyak.h>

#include <deque>
#include <optional>
#include <vector>

#include "isa/operation.h"
#include "jit/code_memory.h"
#include "jit/source.h"

namespace portolan::jit {

class Emitter : private Xbyak::CodeGenerator {
 public:
  // `room`: where the code is written; it may be moved from there. Throws Xbyak::Error where room lacks, or
  // what the instructions say cannot be encoded; std::bad_alloc.
  Emitter(const Source& source, std::span<std::uint8_t> room);

  void emit();
  std::span<const std::uint8_t> code() const { return {getCode(), getSize()}; }
  // Where each function begins, in the order of source.subprograms.
  const std::vector<std::uint32_t>& starts() const { return starts_; }
  // Where the code of each instruction begins; of the first of a function, with the frame. Of the second half
  // of a 64-bit load, 0.
  std::vector<std::uint32_t> take_places() { return std::move(places_); }
  std::vector<Recovery> take_recoveries() { return std::move(recoveries_); }

 private:
  using Reg64 = Xbyak::Reg64;
  using Label = Xbyak::Label;

  // An instruction with two operands: `to`, and a register or an immediate.
  struct Operands {
    Reg64 to, from;
    std::int32_t imm;
    bool is_wide, by_register;
  };
  enum class Division : std::uint8_t { kQuotient, kRemainder };

  // emitter.cc
  void find_targets();
  void function(std::size_t index);
  void instruction();
  Operands operands(bool is_wide, bool by_register) const;
  Operands immediate_operands(bool is_wide);
  // With constant blinding: brings the value into rdi.
  void blind(std::int64_t value);
  Label& label_of(std::int64_t at);
  Label& function_at(std::int64_t start);
  // The register, or its low half.
  static Xbyak::Reg32e sized(const Reg64& one, bool is_wide) {
    return is_wide ? Xbyak::Reg32e(one) : Xbyak::Reg32e(one.cvt32());
  }
  void call_native(const void* target);

  // arithmetic.cc
  void alu_add(const Operands& by);
  void alu_sub(const Operands& by);
  void alu_mul(const Operands& by);
  void alu_div(const Operands& by) { divide(by, Division::kQuotient, false); }
  void alu_sdiv(const Operands& by) { divide(by, Division::kQuotient, true); }
  void alu_or(const Operands& by);
  void alu_and(const Operands& by);
  void alu_lsh(const Operands& by);
  void alu_rsh(const Operands& by);
  void alu_mod(const Operands& by) { divide(by, Division::kRemainder, false); }
  void alu_smod(const Operands& by) { divide(by, Division::kRemainder, true); }
  void alu_xor(const Operands& by);
  void alu_mov(const Operands& by);
  void alu_arsh(const Operands& by);
  void divide(const Operands& by, Division wanted, bool is_signed);
  void divide_by_power_of_two(const Operands& by, Division wanted);
  void divide_by_zero(const Operands& by, Division wanted);
  void divide_by_minus_one(const Operands& by, Division wanted);
  void divide_by_r11(const Operands& by, Division wanted, bool is_signed);
  enum class Shift : std::uint8_t { kLeft, kRight, kSignedRight };
  void shift(const Operands& by, Shift way);
  void shift_without_bmi2(const Operands& by, Shift way);
  void unary(isa::Class kind, isa::Alu operation, std::uint8_t source, std::int32_t bits);
  void sign_extend(std::int32_t bits, bool is_wide);
  void zero_extend(std::int32_t bits);
  void swap_bytes(std::int32_t bits);

  // memory.cc
  void load_immediate();
  void load(std::uint32_t bytes);
  void load_signed(std::uint32_t bytes);
  void store(std::uint32_t bytes);
  void store_from(const Reg64& from, std::uint32_t bytes);
  void store_immediate(std::uint32_t bytes);
  enum class Combine : std::uint8_t { kAdd, kOr, kAnd, kXor };
  void combine(Combine how, bool is_wide);
  void fetch_and_combine(Combine how, bool is_wide);
  void atomic_add(bool is_wide) { combine(Combine::kAdd, is_wide); }
  void atomic_or(bool is_wide) { combine(Combine::kOr, is_wide); }
  void atomic_and(bool is_wide) { combine(Combine::kAnd, is_wide); }
  void atomic_xor(bool is_wide) { combine(Combine::kXor, is_wide); }
  void atomic_fetch_add(bool is_wide);
  void atomic_fetch_or(bool is_wide) { fetch_and_combine(Combine::kOr, is_wide); }
  void atomic_fetch_and(bool is_wide) { fetch_and_combine(Combine::kAnd, is_wide); }
  void atomic_fetch_xor(bool is_wide) { fetch_and_combine(Combine::kXor, is_wide); }
  void atomic_xchg(bool is_wide);
  void compare_exchange(bool is_wide);
  void load_packet(std::uint32_t bytes, bool indirect);
  Xbyak::Address memory_at(const Reg64& base, std::uint32_t bytes);
  // The CPU's instruction that comes next may fault: always, or if the notes say so. Its landing is written
  // behind the function.
  enum class OnFault : std::uint8_t { kGoOn, kZeroTo, kZeroFrom, kZeroR0, kRestoreR0AndZeroFrom };
  void will_land(OnFault what);
  void may_fault(OnFault what) {
    if (source_.notes[at_].may_fault) will_land(what);
  }
  void landings();

  // inline.cc
  bool call_inline();
  map::Map* known_map() const;
  bool lookup_inline();
  void lookup_by_index(const map::Map::InlineLookup& lookup);
  void lookup_by_word(map::Map& map, const map::Map::InlineLookup& lookup);
  void load_cpu(const Xbyak::Reg32& to);
  void loop();
  void tail_call();
  void tail_call_of(const map::References& programs, Label& none);

  // control.cc
  void branch(isa::Jump condition, const Operands& by);
  void compare(isa::Jump condition, const Operands& by);
  void go_to(std::int64_t distance);
  void may_go_to();
  void call_helper();
  void call_kfunc();
  void throw_out();
  void land_thrown();
  void call_function();
  void look_at_gate(std::size_t function);
  void pass_gate(std::size_t function);
  void enter_frame();
  void clear_stack();
  void leave_frame();
  void return_from();

  const Source& source_;
  std::vector<Label> labels_;     // of each instruction; used where is_target_
  std::vector<bool> is_target_;   // of a jump
  std::vector<Label> functions_;  // of each subprogram
  std::vector<std::uint32_t> starts_, places_;
  std::vector<Recovery> recoveries_;
  struct Landing {
    std::uint32_t at;  // of the instruction in the code
    OnFault what;
    Reg64 to, from;
    Label back;
  };
  std::deque<Landing> landings_;  // of this function; labels do not move
  bool throws_ = false;           // something in the program does
  Label thrown_;                  // where it goes on then
  bool has_bmi2_;
  std::uint64_t random_;  // of constant blinding; 0: there is none

  // The function and the instruction that are being written.
  // Of the function: what follows the look at its gate, and where it goes if that is open.
  std::optional<Label> body_, gate_;
  std::uint32_t stack_bytes_ = 0;
  bool clears_stack_ = true;
  std::uint32_t frame_bytes_ = 0;  // with what of it is the function's own
  bool counts_loops_ = false;
  std::vector<Reg64> kept_;
  bool is_main_of_throwing_ = false;  // it keeps what all functions may write, and where its frame is
  std::optional<Label> zero_exit_;    // where the function returns 0, once something goes there
  std::size_t at_ = 0;
  abi::Insn insn_ = {};
};

}  // namespace portolan::jit
