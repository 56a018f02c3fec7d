// SPDX-License-Identifier: Apache-2.0
#include "random_insns.h"

#include <algorithm>
#include <iterator>

namespace portolan::isa {
namespace {

constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    2,
                                    7,
                                    31,
                                    32,
                                    63,
                                    64,
                                    0x7f,
                                    0x80,
                                    0xff,
                                    0x7fff,
                                    0x8000,
                                    0xffff,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x100000000,
                                    0xffffffff80000000,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    0xfffffffffffffffe,
                                    0xffffffffffffffff};

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn load(unsigned to, unsigned base, int off) {
  return {0x79, regs(to, base), static_cast<std::int16_t>(off), 0};
}
constexpr Insn store(unsigned base, int off, unsigned from) {
  return {0x7b, regs(base, from), static_cast<std::int16_t>(off), 0};
}

// Of a frame: the context, words to play with, then every register at the end.
constexpr int kContextAt = -8, kWordsEnd = -8, kWords = 7, kWordsBegin = kWordsEnd - 8 * kWords;
constexpr int kRegistersAt = kWordsBegin - 80, kStack = -kRegistersAt;
constexpr unsigned kScalars = 10;

// A piece that jumps go around, never into.
struct Unit {
  std::vector<Insn> insns;
  bool may_fault = false;
  int jump_over = -1;  // so many units after this one; -1: its last instruction is no jump
  bool calls = false;  // its first instruction calls the other function
};

class Maker {
 public:
  Maker(Random& random, std::uint64_t gone) : random_(random), gone_(gone) {}

  RandomProgram make() {
    RandomProgram program;
    const bool has_function = random_.one_in(2);
    std::vector<std::size_t> calls;
    append(program, main_begin());
    body(program, has_function, calls);
    append(program, main_end());
    program.subprograms.push_back({0, kStack, ""});
    if (has_function) {
      const std::size_t start = program.insns.size();
      program.subprograms.push_back({static_cast<std::uint32_t>(start), kStack, ""});
      append(program, function_begin());
      std::vector<std::size_t> none;
      body(program, false, none);
      append(program, {{0xbf, regs(0, scalar()), 0, 0}, {kExitCode, 0, 0, 0}});
      for (const std::size_t at : calls)
        program.insns[at].imm = static_cast<std::int32_t>(start) - static_cast<std::int32_t>(at) - 1;
    }
    return program;
  }

 private:
  unsigned scalar() { return random_.below(kScalars); }
  std::uint8_t source_bit() { return random_.one_in(2) ? kBySource : std::uint8_t{0}; }
  int word_at() { return kWordsBegin + 8 * static_cast<int>(random_.below(kWords)); }

  static std::vector<Insn> main_begin() {
    std::vector<Insn> out = {store(kFramePointer, kContextAt, 1)};
    for (unsigned i = 0; i < kWords; ++i) {
      out.push_back(load(0, 1, static_cast<int>(8 * (kScalars + i))));
      out.push_back(store(kFramePointer, kWordsBegin + 8 * static_cast<int>(i), 0));
    }
    for (const unsigned to : {0, 2, 3, 4, 5, 6, 7, 8, 9, 1})
      out.push_back(load(to, 1, static_cast<int>(8 * to)));
    return out;
  }
  // Its arguments are five scalars; the others, and the words, are made of them.
  static std::vector<Insn> function_begin() {
    std::vector<Insn> out;
    for (unsigned i = 0; i < kWords; ++i)
      out.push_back(store(kFramePointer, kWordsBegin + 8 * static_cast<int>(i), 1 + i % 5));
    for (unsigned to : {0u, 6u, 7u, 8u, 9u}) out.push_back({0xbf, regs(to, 1 + to % 5), 0, 0});
    return out;
  }
  static std::vector<Insn> main_end() {
    std::vector<Insn> out;
    for (unsigned i = 0; i < kScalars; ++i)
      out.push_back(store(kFramePointer, kRegistersAt + 8 * static_cast<int>(i), i));
    out.push_back(load(1, kFramePointer, kContextAt));
    for (unsigned i = 0; i < kScalars + kWords; ++i) {
      out.push_back(load(2, kFramePointer, kRegistersAt + 8 * static_cast<int>(i)));
      out.push_back(store(1, static_cast<int>(8 * i), 2));
    }
    out.push_back({0xb7, regs(0), 0, 0});
    out.push_back({kExitCode, 0, 0, 0});
    return out;
  }

  static void append(RandomProgram& program, const std::vector<Insn>& insns, bool may_fault = false) {
    program.insns.insert(program.insns.end(), insns.begin(), insns.end());
    program.notes.resize(program.insns.size(), verifier::InsnNotes{may_fault});
  }

  void body(RandomProgram& program, bool may_call, std::vector<std::size_t>& calls) {
    std::vector<Unit> units(1 + random_.below(40));
    for (Unit& one : units) one = unit(may_call);
    if (may_call) units.back() = call();  // a function that nobody calls is refused
    for (std::size_t i = 0; i < units.size(); ++i) {
      Unit& one = units[i];
      if (one.jump_over >= 0) {
        std::size_t distance = 0;
        const std::size_t last = std::min(units.size(), i + 1 + static_cast<std::size_t>(one.jump_over));
        for (std::size_t over = i + 1; over < last; ++over) distance += units[over].insns.size();
        Insn& jump = one.insns.back();
        if (jump.code == 0x06)
          jump.imm = static_cast<std::int32_t>(distance);
        else
          jump.off = static_cast<std::int16_t>(distance);
      }
      if (one.calls) calls.push_back(program.insns.size());
      append(program, one.insns, one.may_fault);
    }
  }

  Unit unit(bool may_call) {
    if (may_call && random_.one_in(20)) return call();
    if (gone_ != 0 && random_.one_in(8)) return access_to_nothing();
    switch (random_.below(12)) {
      case 0:
      case 1:
        return jump();
      case 2:
        return access(load_of(scalar(), kFramePointer));
      case 3:
        return access(store_of(kFramePointer));
      case 4:
        return atomic();
      case 5:
        return unary();
      case 6: {
        const std::uint64_t value = random_.operand();
        return {{{kLoadImm64, regs(scalar()), 0, static_cast<std::int32_t>(value)},
                 {0, 0, 0, static_cast<std::int32_t>(value >> 32)}}};
      }
      default:
        return alu();
    }
  }

  Unit alu() {
    static constexpr std::uint8_t kOperations[] = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50,
                                                   0x60, 0x70, 0x90, 0xa0, 0xb0, 0xc0};
    const std::uint8_t operation = kOperations[random_.below(std::size(kOperations))], source = source_bit();
    const bool is_wide = random_.one_in(2);
    Insn insn{static_cast<std::uint8_t>((is_wide ? 0x07 : 0x04) | operation | source), 0, 0, 0};
    insn.registers = regs(scalar(), source != 0 ? scalar() : 0);
    const bool divides = operation == 0x30 || operation == 0x90;
    if (divides && random_.one_in(2)) insn.off = 1;
    if (operation == 0xb0 && source != 0) {
      static constexpr std::int16_t kExtensions[] = {0, 8, 16, 32};
      insn.off = kExtensions[random_.below(is_wide ? 4 : 3)];
    }
    if (source == 0) {
      insn.imm = random_.immediate();
      if (divides && insn.imm == 0) insn.imm = 3;
      const bool shifts = operation == 0x60 || operation == 0x70 || operation == 0xc0;
      if (shifts) insn.imm &= is_wide ? 63 : 31;
    }
    return {{insn}};
  }

  Unit unary() {
    const std::uint8_t to = regs(scalar());
    static constexpr std::int32_t kWidths[] = {16, 32, 64};
    const std::int32_t width = kWidths[random_.below(3)];
    switch (random_.below(4)) {
      case 0:
        return {{{static_cast<std::uint8_t>(random_.one_in(2) ? 0x87 : 0x84), to, 0, 0}}};
      case 1:
        return {{{0xd4, to, 0, width}}};
      case 2:
        return {{{0xdc, to, 0, width}}};
      default:
        return {{{0xd7, to, 0, width}}};
    }
  }

  Unit jump() {
    Unit out;
    out.jump_over = static_cast<int>(random_.below(5));
    // What a plain jump goes over must be reached in another way.
    if (random_.one_in(10)) {
      out.insns = {{0x15, regs(scalar()), 1, random_.immediate()},
                   {static_cast<std::uint8_t>(random_.one_in(2) ? 0x05 : 0x06), 0, 0, 0}};
      return out;
    }
    static constexpr std::uint8_t kConditions[] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60,
                                                   0x70, 0xa0, 0xb0, 0xc0, 0xd0};
    const std::uint8_t source = source_bit();
    const auto code = static_cast<std::uint8_t>((random_.one_in(2) ? 0x05 : 0x06) | source |
                                                kConditions[random_.below(std::size(kConditions))]);
    out.insns = {
        {code, regs(scalar(), source != 0 ? scalar() : 0), 0, source != 0 ? 0 : random_.immediate()}};
    return out;
  }

  struct Access {
    Insn insn;
    int bytes;
  };
  Access load_of(unsigned to, unsigned base) {
    const unsigned size = random_.below(4);  // word, half, byte, double
    static constexpr int kBytes[] = {4, 2, 1, 8};
    const bool is_signed = size != 3 && random_.one_in(3);
    const auto code = static_cast<std::uint8_t>((is_signed ? 0x81 : 0x61) | size << 3);
    return {{code, regs(to, base), 0, 0}, kBytes[size]};
  }
  Access store_of(unsigned base) {
    const unsigned size = random_.below(4);
    static constexpr int kBytes[] = {4, 2, 1, 8};
    if (random_.one_in(3))
      return {{static_cast<std::uint8_t>(0x62 | size << 3), regs(base), 0, random_.immediate()},
              kBytes[size]};
    return {{static_cast<std::uint8_t>(0x63 | size << 3), regs(base, scalar()), 0, 0}, kBytes[size]};
  }
  Access atomic_of(unsigned base) {
    static constexpr std::int32_t kKinds[] = {0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1};
    const bool is_wide = random_.one_in(2);
    unsigned source = scalar();
    if (source == base) source = (source + 1) % kScalars;  // no pointer goes into memory
    return {{static_cast<std::uint8_t>(is_wide ? 0xdb : 0xc3), regs(base, source), 0,
             kKinds[random_.below(std::size(kKinds))]},
            is_wide ? 8 : 4};
  }
  Unit access(Access one) {
    one.insn.off = static_cast<std::int16_t>(
        word_at() + one.bytes * static_cast<int>(random_.below(static_cast<std::uint32_t>(8 / one.bytes))));
    return {{one.insn}, random_.one_in(4)};
  }
  // Through the frame pointer, or a copy of it in any register.
  Unit atomic() {
    if (random_.one_in(3)) return access(atomic_of(kFramePointer));
    const unsigned base = scalar();
    Access one = atomic_of(base);
    if (one.insn.imm == 0xf1 && base == 0) one.insn.imm = 0xe1;  // R0 is the value that is expected
    Unit out = access(one);
    out.insns.insert(out.insns.begin(), {0xbf, regs(base, kFramePointer), 0, 0});
    out.insns.push_back(load(base, kFramePointer, word_at()));
    return out;
  }
  Unit access_to_nothing() {
    const unsigned base = scalar();
    Access one = random_.one_in(3)   ? atomic_of(base)
                 : random_.one_in(2) ? store_of(base)
                                     : load_of(scalar(), base);
    one.insn.off = static_cast<std::int16_t>(8 * random_.below(8));
    Unit out;
    out.insns = {{kLoadImm64, regs(base), 0, static_cast<std::int32_t>(gone_)},
                 {0, 0, 0, static_cast<std::int32_t>(gone_ >> 32)},
                 one.insn};
    // What it does to the register that held the address is seen, the address is not.
    if (one.insn.dst() != base || isa::class_of(one.insn) != Class::kLdx)
      out.insns.push_back(load(base, kFramePointer, word_at()));
    out.may_fault = true;
    return out;
  }

  // The registers that a call leaves undefined are loaded again.
  Unit call() {
    Unit out;
    out.calls = true;
    out.insns = {{kCallCode, regs(0, 1), 0, 0}};
    for (unsigned to = 1; to <= 5; ++to) out.insns.push_back(load(to, kFramePointer, word_at()));
    return out;
  }

  Random& random_;
  std::uint64_t gone_;
};

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

std::uint64_t Random::operand() {
  if (one_in(2)) return kEdges[below(std::size(kEdges))] + below(3) - 1;
  return next() >> below(64);
}

RandomProgram random_program(Random& random, std::uint64_t gone) { return Maker(random, gone).make(); }

}  // namespace portolan::isa
