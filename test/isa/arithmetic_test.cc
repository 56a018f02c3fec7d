// SPDX-License-Identifier: Apache-2.0
// Every operation that computes, on both: a program carries many of them out on the operands in its context,
// and writes the results behind them.
#include <fmt/format.h>

#include <random>

#include "abi/prog_flags.h"
#include "both.h"
#include "isa/disassemble.h"

namespace portolan::isa {
namespace {

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}

constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    2,
                                    7,
                                    0xff,
                                    0x7f,
                                    0x80,
                                    0x7fff,
                                    0x8000,
                                    0xffff,
                                    31,
                                    32,
                                    33,
                                    63,
                                    64,
                                    0x7fffffff,
                                    0x80000000,
                                    0x80000001,
                                    0xffffffff,
                                    0x100000000,
                                    0xffffffff80000000,
                                    0x123456789abcdef0,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    0xfffffffffffffffe,
                                    0xffffffffffffffff};
constexpr std::int32_t kImmediates[] = {0,  1,   2,   -1,  -2,    7,     31,        32,
                                        63, 127, 128, 255, 32767, 65535, INT32_MAX, INT32_MIN};

constexpr unsigned kContext = 9, kA = 2, kB = 3;

// One program, and what of it each result is.
struct Program {
  std::vector<Insn> insns = {{0xbf, regs(kContext, 1), 0, 0}};
  std::vector<std::string> results;

  void add(Insn insn) { insns.push_back(insn); }
  // A and B as the context has them; 0 and 1 in R4, the value at FP-8 is A.
  void begin() {
    add({0x79, regs(kA, kContext), 0, 0});
    add({0x79, regs(kB, kContext), 8, 0});
    add({0x7b, regs(kFramePointer, kA), -8, 0});
    add({0xb7, regs(4), 0, 0});
  }
  void result(unsigned from, std::string what) {
    add({0x7b, regs(kContext, from), static_cast<std::int16_t>(16 + 8 * results.size()), 0});
    results.push_back(std::move(what));
  }
  std::string text(const Insn& insn) { return disassemble({&insn, 1}, 0); }

  void compute(const Insn& insn) {
    begin();
    add(insn);
    result(kA, text(insn));
  }
  void branch(const Insn& insn) {
    begin();
    add(insn);
    add({0xb7, regs(4), 0, 1});
    result(4, text(insn));
  }
  void load_store(const Insn& insn) {
    begin();
    add({0x7b, regs(kFramePointer, kB), -16, 0});
    add(insn);
    result(kA, text(insn));
    add({0x79, regs(kA, kFramePointer), -8, 0});
    result(kA, text(insn) + ", then *(r10 -8)");
  }
  void atomic_operation(const Insn& insn) {
    for (const unsigned expected : {kA, kB}) {
      begin();
      add({0xbf, regs(0, expected), 0, 0});
      add(insn);
      result(kB, text(insn) + ", r3");
      result(0, text(insn) + ", r0");
      result(kA, text(insn) + ", r2");
      add({0x79, regs(kA, kFramePointer), -8, 0});
      result(kA, text(insn) + ", *(r10 -8)");
    }
  }
  void finish() {
    add({0xb7, 0, 0, 0});
    add({kExitCode, 0, 0, 0});
  }
  std::size_t context_bytes() const { return 16 + 8 * results.size(); }
};

constexpr Insn with_code(std::uint8_t code, std::int16_t off, std::int32_t imm) {
  return {code, regs(kA, (code & kBySource) != 0 ? kB : 0), off, imm};
}
constexpr std::uint8_t code(Class kind, unsigned operation) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | operation);
}

// All that has no immediate.
Program by_registers() {
  Program program;
  for (const Class kind : {Class::kAlu, Class::kAlu64}) {
    for (unsigned operation = 0; operation <= 0xc0; operation += 0x10) {
      if (operation == 0x80) continue;
      program.compute(with_code(code(kind, operation | kBySource), 0, 0));
      if (operation == 0x30 || operation == 0x90)
        program.compute(with_code(code(kind, operation | kBySource), 1, 0));
    }
    for (const std::int16_t bits : {std::int16_t{8}, std::int16_t{16}, std::int16_t{32}})
      if (kind == Class::kAlu64 || bits != 32)
        program.compute(with_code(code(kind, 0xb0 | kBySource), bits, 0));
    program.compute({code(kind, 0x80), regs(kA), 0, 0});
    for (const std::int32_t bits : {16, 32, 64}) {
      program.compute({code(kind, 0xd0), regs(kA), 0, bits});
      if (kind == Class::kAlu) program.compute({code(kind, 0xd0 | kBySource), regs(kA), 0, bits});
    }
  }
  for (const Class kind : {Class::kJmp, Class::kJmp32})
    for (unsigned operation = 0x10; operation <= 0xd0; operation += 0x10)
      if (operation != 0x80 && operation != 0x90)
        program.branch({code(kind, operation | kBySource), regs(kA, kB), 1, 0});
  program.finish();
  return program;
}
Program by_immediate(std::int32_t imm) {
  Program program;
  for (const Class kind : {Class::kAlu, Class::kAlu64}) {
    const std::int32_t bits = kind == Class::kAlu ? 32 : 64;
    for (unsigned operation = 0; operation <= 0xc0; operation += 0x10) {
      const bool divides = operation == 0x30 || operation == 0x90;
      const bool shifts = operation == 0x60 || operation == 0x70 || operation == 0xc0;
      if (operation == 0x80 || (divides && imm == 0) || (shifts && (imm < 0 || imm >= bits))) continue;
      program.compute(with_code(code(kind, operation), 0, imm));
      if (divides) program.compute(with_code(code(kind, operation), 1, imm));
    }
  }
  for (const Class kind : {Class::kJmp, Class::kJmp32})
    for (unsigned operation = 0x10; operation <= 0xd0; operation += 0x10)
      if (operation != 0x80 && operation != 0x90) program.branch({code(kind, operation), regs(kA), 1, imm});
  for (const unsigned size : {0x00u, 0x08u, 0x10u, 0x18u})
    program.load_store({code(Class::kSt, 0x60 | size), regs(kFramePointer), -8, imm});
  program.finish();
  return program;
}
Program memory() {
  Program program;
  for (const unsigned size : {0x00u, 0x08u, 0x10u, 0x18u})
    for (std::int16_t at = -8; at + static_cast<std::int16_t>(bytes_of(static_cast<Size>(size))) <= 0;
         at = static_cast<std::int16_t>(at + static_cast<std::int16_t>(bytes_of(static_cast<Size>(size))))) {
      program.load_store({code(Class::kLdx, 0x60 | size), regs(kA, kFramePointer), at, 0});
      if (size != 0x18) program.load_store({code(Class::kLdx, 0x80 | size), regs(kA, kFramePointer), at, 0});
      program.load_store({code(Class::kStx, 0x60 | size), regs(kFramePointer, kB), at, 0});
      program.load_store({code(Class::kStx, 0xc0 | size), regs(kA, kFramePointer), at, atomic::kLoadAcquire});
      program.load_store(
          {code(Class::kStx, 0xc0 | size), regs(kFramePointer, kB), at, atomic::kStoreRelease});
    }
  program.finish();
  return program;
}
Program atomics() {
  Program program;
  for (const std::int32_t operation :
       {atomic::kAdd, atomic::kOr, atomic::kAnd, atomic::kXor, atomic::kAdd | atomic::kFetch,
        atomic::kOr | atomic::kFetch, atomic::kAnd | atomic::kFetch, atomic::kXor | atomic::kFetch,
        atomic::kExchange, atomic::kCompareExchange}) {
    program.atomic_operation({0xdb, regs(kFramePointer, kB), -8, operation});
    program.atomic_operation({0xc3, regs(kFramePointer, kB), -8, operation});
    program.atomic_operation({0xc3, regs(kFramePointer, kB), -4, operation});
  }
  program.finish();
  return program;
}

class Arithmetic : public WithBoth {
 protected:
  void compare(const Program& program) {
    if (IsSkipped()) return;
    std::string log;
    const auto load = [&](Side& side) {
      return side.load(abi::ProgType::kSyscall, program.insns, &log, 0, abi::prog_flag::kSleepable);
    };
    Fds fds{};
    for (std::size_t i = 0; i < sides_.size(); ++i) {
      fds[i] = load(*sides_[i]);
      ASSERT_GE(fds[i], 0) << log.substr(log.size() > 500 ? log.size() - 500 : 0);
    }
    std::mt19937_64 random(1);
    for (const std::uint64_t a : kEdges)
      for (const std::uint64_t b : kEdges) compare_on(program, fds, a, b);
    for (int i = 0; i < 500; ++i)
      compare_on(program, fds, random() >> random() % 64, random() >> random() % 64);
    for (const long fd : fds) (void)sys::close(static_cast<int>(fd));
  }

 private:
  using Fds = std::array<long, 3>;
  std::array<Side*, 3> sides_ = {&kernel_, &ours_, &interpreter_};

  static std::vector<std::uint64_t> run(Side& side, long fd, const Program& program, std::uint64_t a,
                                        std::uint64_t b) {
    std::vector<std::uint64_t> context(program.context_bytes() / 8, 0xaaaaaaaaaaaaaaaa);
    context[0] = a;
    context[1] = b;
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(fd);
    attr.test.ctx_in = Side::address(context.data());
    attr.test.ctx_size_in = static_cast<std::uint32_t>(program.context_bytes());
    EXPECT_EQ(side.bpf(abi::Command::kProgTestRun, attr), 0);
    return context;
  }
  void compare_on(const Program& program, const Fds& fds, std::uint64_t a, std::uint64_t b) {
    const auto expected = run(*sides_[0], fds[0], program, a, b);
    for (std::size_t side = 1; side < sides_.size(); ++side) {
      const auto got = run(*sides_[side], fds[side], program, a, b);
      if (expected == got) continue;
      for (std::size_t i = 0; i < program.results.size(); ++i)
        EXPECT_EQ(got[i + 2], expected[i + 2]) << fmt::format("{}: {} with r2 {:#x} and r3 {:#x}",
                                                              sides_[side]->name(), program.results[i], a, b);
    }
  }
};

TEST_F(Arithmetic, of_registers_is_the_kernels) { compare(by_registers()); }
TEST_F(Arithmetic, with_immediates_is_the_kernels) {
  for (const std::int32_t imm : kImmediates) {
    SCOPED_TRACE(imm);
    compare(by_immediate(imm));
  }
}
TEST_F(Arithmetic, loads_and_stores_are_the_kernels) { compare(memory()); }
TEST_F(Arithmetic, atomic_operations_are_the_kernels) { compare(atomics()); }

TEST_F(Arithmetic, calls_and_long_jumps_are_the_kernels) {
  Program program;
  program.begin();
  // r1 = FP-8; r2 = b; r6 = 77; call f; result r0 + r6, and what f made of FP-8
  program.add({0xbf, regs(1, kFramePointer), 0, 0});
  program.add({0x07, regs(1), 0, -8});
  program.add({0xbf, regs(2, kB), 0, 0});
  program.add({0xb7, regs(6), 0, 77});
  program.add({kCallCode, regs(0, 1), 0, 7});
  program.add({0x0f, regs(0, 6), 0, 0});
  program.result(0, "what the function returned, plus r6");
  program.add({0x79, regs(0, kFramePointer), -8, 0});
  program.result(0, "what the function stored");
  program.add({0x06, 0, 0, 0});  // gotol pc+0
  program.add({0xb7, 0, 0, 0});
  program.add({kExitCode, 0, 0, 0});
  // f: *(u64 *)(r1 + 0) += r2; r6 = r2; r0 = g(r6)
  program.add({0xdb, regs(1, 2), 0, atomic::kAdd});
  program.add({0xbf, regs(6, 2), 0, 0});
  program.add({0xbf, regs(1, 6), 0, 0});
  program.add({kCallCode, regs(0, 1), 0, 2});
  program.add({0x1f, regs(0, 6), 0, 0});
  program.add({kExitCode, 0, 0, 0});
  // g: FP-8 = r1; r0 = FP-8 * 3
  program.add({0x7b, regs(kFramePointer, 1), -8, 0});
  program.add({0x79, regs(0, kFramePointer), -8, 0});
  program.add({0x27, regs(0), 0, 3});
  program.add({kExitCode, 0, 0, 0});
  // The call of f: from its place to f's.
  for (std::size_t i = 0; i < program.insns.size(); ++i)
    if (program.insns[i].code == kCallCode) {
      std::size_t f = i;
      while (program.insns[f].code != kExitCode) ++f;
      program.insns[i].imm = static_cast<std::int32_t>(f - i);
      break;
    }
  compare(program);
}

}  // namespace
}  // namespace portolan::isa
