// SPDX-License-Identifier: Apache-2.0
// Makes a random program of steps that are right by themselves (a lookup with its null check, a packet access
// with its bounds check, a loop that ends), of registers whose kind it keeps in mind. Some programs are then
// tampered with.
//
// Untampered programs never turn a pointer into a number, so what they return and store is the same wherever
// they run.
#pragma once
#include <array>

#include "dice.h"
#include "verdicts.h"

namespace portolan::conformance {

class ProgramMaker {
 public:
  explicit ProgramMaker(std::uint64_t seed) : dice_(seed) {}
  RandomProgram make();

 private:
  enum class Kind : std::uint8_t { kNothing, kNumber, kContext, kValue, kPacket, kPacketEnd };
  struct Reg {
    Kind kind = Kind::kNothing;
    VerdictMap map = kNumbers;  // kValue
    int off = 0;                // kValue: bytes into it
    int range = 0;              // kPacket: bytes that are there
    bool is_small = false;      // kNumber: 0 … 7
  };
  using Regs = std::array<Reg, 11>;
  using Slots = std::array<Reg, 8>;
  struct Callee {
    int label;
    bool is_callback, is_loop = false;
  };
  // Of instructions' codes.
  static constexpr std::uint8_t kAlu = 0x04, kAlu64 = 0x07, kJmp = 0x05, kJmp32 = 0x06, kByRegister = 0x08;

  bool is_packet_type() const { return program_.type == 6 || program_.type == 3; }
  void steps(int count, int depth);
  void step(int depth);
  void finish_main();
  void tamper();

  // --- numbers, and the stack: eight numbers at fp-8 … fp-64; keys at fp-72, values at fp-128
  std::int32_t constant();
  void set_number(int reg);
  Reg& at(int reg) { return regs_[static_cast<std::size_t>(reg)]; }
  int any_of(Kind kind, int least = 0);
  int number_reg();
  int saved_reg() { return 7 + static_cast<int>(dice_.below(3)); }  // survives calls
  int scratch_reg();
  void forget_caller_saved();
  void arithmetic();
  void swap();
  void make_small(int reg);
  void spill();
  void store_small_on_stack();
  void fill();
  void stack_by_number();

  // --- maps
  void put_key(VerdictMap map, bool may_miss);
  void look_up();
  void global();
  void value_access();
  void atomic(int pointer, int off, std::uint32_t size);
  void value_by_number();
  void update();
  void remove();
  void locked();
  void other_maps();

  // --- packets and contexts
  void context();
  void packet();
  void jump_by_register(std::uint8_t code, int probe, int end);
  void packet_access();
  void packet_by_number();

  // --- branches, loops, functions
  static void join(Regs& into, const Regs& other);
  void join_slots(const Slots& other);
  void branch(int depth);
  void loop();
  void iterate(int depth);
  void global_step();
  void call_function();
  void call_back();
  void function(std::size_t index);
  void arithmetic_on_two();
  int reserve_free(int reg) const { return (reserved_ >> reg & 1) != 0 ? 0 : reg; }

  Dice dice_;
  Bytecode code_;
  RandomProgram program_;
  Regs regs_;
  Slots slots_;
  std::vector<Callee> functions_;
  int exit_ = 0, reserved_ = 0;
};

}  // namespace portolan::conformance
