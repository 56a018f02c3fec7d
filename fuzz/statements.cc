// SPDX-License-Identifier: Apache-2.0
#include "fuzz/statements.h"

#include <iterator>

#include "isa/insn.h"

namespace portolan::fuzz {
namespace {

using abi::Insn;

constexpr std::uint8_t regs(unsigned to, unsigned from) { return static_cast<std::uint8_t>(to | from << 4); }
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to, 0), 0, value}; }
constexpr Insn move(unsigned to, unsigned from) { return {0xbf, regs(to, from), 0, 0}; }
constexpr Insn add(unsigned to, std::int32_t value) { return {0x07, regs(to, 0), 0, value}; }
constexpr Insn call(std::int32_t helper) { return {isa::kCallCode, 0, 0, helper}; }
constexpr Insn kExit{isa::kExitCode, 0, 0, 0}, kRest{0, 0, 0, 0};
constexpr Insn put(unsigned to, std::int16_t offset, std::int32_t value) {
  return {0x7a, regs(to, 0), offset, value};
}
constexpr Insn load(unsigned to, unsigned from, std::int16_t offset) {
  return {0x79, regs(to, from), offset, 0};
}
constexpr Insn map(unsigned to, ProgramMap which) { return {0x18, regs(to, 5), 0, which}; }

// A place on the stack, mostly one of a few.
std::int32_t stack_place(Input& input) {
  const auto byte = input.take<std::uint8_t>();
  return byte < 240 ? -16 - 16 * (byte % 4) : -static_cast<std::int32_t>(byte % 80);
}
std::int32_t small(Input& input) {
  const auto byte = input.take<std::uint8_t>();
  return byte < 200 ? byte % 33 : static_cast<std::int8_t>(byte);
}
unsigned kept(Input& input) { return 7 + input.take<std::uint8_t>() % 3; }

class Writer {
 public:
  Writer(Statements& program, Input& input) : program_(program), input_(input) {}

  void write() {
    switch (input_.take<std::uint8_t>() % 16) {
      case 0:
        program_.last_dynptr = stack_place(input_);
        look_up(kNumbers, input_.take<std::uint8_t>() % 6);
        return add_all({move(1, 0), add(1, mostly() ? 0 : small(input_)), set(2, small(input_)), set(3, 0),
                        stack(4), add(4, program_.last_dynptr), call(197)});
      case 1: {
        const std::int32_t place = program_.last_dynptr = stack_place(input_);
        add_all({map(1, kRing), kRest, set(2, small(input_)), set(3, 0), stack(4), add(4, place), call(198)});
        if (mostly())
          add_all({put(10, -112, 1), put(10, -104, 1), stack(3), add(3, -112), set(4, 8), stack(1),
                   add(1, place), set(2, small(input_)), set(5, 0), call(202)});
        if (mostly())
          add_all({stack(1), add(1, place), set(2, 0), call(199 + input_.take<std::uint8_t>() % 2)});
        return;
      }
      case 2:
        return add_all({stack(1), add(1, -112), set(2, small(input_)), stack(3), add(3, dynptr_place()),
                        set(4, small(input_)), set(5, 0), call(201)});
      case 3:
        return add_all({put(10, -112, 1), put(10, -104, 1), stack(3), add(3, -112), set(4, small(input_)),
                        stack(1), add(1, dynptr_place()), set(2, small(input_)), set(5, 0), call(202)});
      case 4: {
        const unsigned to = kept(input_);
        return add_all({stack(1),
                        add(1, dynptr_place()),
                        set(2, small(input_)),
                        set(3, small(input_)),
                        call(203),
                        move(to, 0),
                        {0x15, regs(to, 0), 1, 0},
                        put(to, offset(), 7),
                        set(0, 0)});
      }
      case 5:
        return add_all(
            {stack(1), add(1, dynptr_place()), set(2, 0), call(199 + input_.take<std::uint8_t>() % 2)});
      case 6: {
        const unsigned to = kept(input_);
        add_all({map(1, kRing),
                 kRest,
                 set(2, small(input_)),
                 set(3, 0),
                 call(131),
                 {0x55, 0, 1, 0},
                 kExit,
                 move(to, 0),
                 put(to, offset(), 1)});
        if (mostly())
          add_all({move(1, to), set(2, 0), call(132 + input_.take<std::uint8_t>() % 2), set(to, 1)});
        return;
      }
      case 7:
        return add_all({move(1, kept(input_)), set(2, 0), call(132 + input_.take<std::uint8_t>() % 2)});
      case 8: {
        const unsigned to = kept(input_);
        look_up(kLocked, 1);
        return add_all({move(to, 0), move(1, to), call(93), put(to, offset(), 5), move(1, to), call(94)});
      }
      case 9:
        return add_all({move(1, kept(input_)), call(93 + input_.take<std::uint8_t>() % 2)});
      case 10:
        add_all({set(1, small(input_))});
        callback(2);
        return add_all({put(10, -128, 0), stack(3), add(3, -128), set(4, 0), call(181)});
      case 11:
        add_all({map(1, input_.take<std::uint8_t>() % 2 == 0 ? kNumbers : kTable), kRest});
        callback(2);
        return add_all({put(10, -128, 0), stack(3), add(3, -128), set(4, 0), call(164)});
      case 12: {
        const unsigned to = kept(input_);
        look_up(kTimers, 1);
        add_all({move(to, 0), move(1, to), add(1, 8), map(2, kTimers), kRest, set(3, 1), call(169),
                 move(1, to), add(1, input_.take<std::uint8_t>() % 8 != 0 ? 8 : small(input_))});
        callback(2);
        return add_all({call(170)});
      }
      case 13: {
        constexpr std::int32_t kFillers[] = {16, 4, 113, 115};
        return add_all({stack(1), add(1, stack_place(input_)), set(2, small(input_)), move(3, 10),
                        call(kFillers[input_.take<std::uint8_t>() % std::size(kFillers)])});
      }
      case 14:
        return add_all({put(10, -16, 0x31), stack(1), add(1, stack_place(input_)), set(2, small(input_)),
                        set(3, 0), stack(4), add(4, stack_place(input_)),
                        call(105 + input_.take<std::uint8_t>() % 2)});
      default:
        return add_all({put(10, -16, 1), put(10, -24, 1), stack(1), add(1, stack_place(input_)),
                        set(2, small(input_)), stack(3), add(3, stack_place(input_)), set(4, small(input_)),
                        set(5, 0), call(28)});
    }
  }
  // What a callback does, and what it returns.
  void write_callback() {
    const unsigned from = 1 + input_.take<std::uint8_t>() % 4;
    switch (input_.take<std::uint8_t>() % 6) {
      case 0:
        add_all({load(0, from, offset())});
        break;
      case 1:
        add_all({put(from, offset(), small(input_))});
        break;
      case 2:
        add_all({move(6, from), put(10, offset(), 1)});
        break;
      case 3:
        add_all({move(1, from),
                 set(2, 0),
                 set(3, small(input_)),
                 call(203),
                 {0x15, 0, 1, 0},
                 put(0, offset(), 1)});
        break;
      default:
        break;
    }
    const auto result = input_.take<std::uint8_t>();
    add_all({set(0, result < 230 ? result % 2 : 2), kExit});
  }

 private:
  void add_all(std::initializer_list<Insn> insns) { program_.insns.insert(program_.insns.end(), insns); }
  // R0 = the value of that key; where there is none, the program ends.
  void look_up(ProgramMap which, std::int32_t key) {
    add_all(
        {map(1, which), kRest, put(10, -8, key), move(2, 10), add(2, -8), call(1), {0x55, 0, 1, 0}, kExit});
  }
  void callback(unsigned to) {
    program_.callbacks.push_back(program_.insns.size());
    add_all({{0x18, regs(to, 4), 0, 0}, kRest});
  }
  static Insn stack(unsigned to) { return move(to, 10); }
  std::int32_t dynptr_place() { return mostly() ? program_.last_dynptr : stack_place(input_); }
  bool mostly() { return input_.take<std::uint8_t>() % 8 != 0; }
  std::int16_t offset() {
    const auto byte = input_.take<std::uint8_t>();
    return static_cast<std::int16_t>(byte < 200 ? byte % 5 * 8 : static_cast<std::int8_t>(byte));
  }

  Statements& program_;
  Input& input_;
};

}  // namespace

void append_statement(Statements& program, Input& input) { Writer(program, input).write(); }

std::vector<std::uint32_t> append_callbacks(Statements& program, Input& input) {
  std::vector<std::uint32_t> starts;
  for (const std::size_t at : program.callbacks) {
    starts.push_back(static_cast<std::uint32_t>(program.insns.size()));
    program.insns[at].imm = static_cast<std::int32_t>(program.insns.size() - at - 1);
    Writer(program, input).write_callback();
  }
  return starts;
}

}  // namespace portolan::fuzz
