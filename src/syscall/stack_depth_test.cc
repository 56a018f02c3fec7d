// SPDX-License-Identifier: Apache-2.0
// What the log says of a program's stack, and that it always ends with figures. All of it is what Linux 6.18
// says.
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class StackDepth : public Verdicts {};

constexpr std::int32_t kCpu = 8, kProbeReadStack = 4, kCsumDiff = 28;
constexpr abi::Insn spill(std::int16_t offset, std::uint8_t from) { return store(8, r10, offset, from); }
constexpr abi::Insn fill(std::uint8_t to, std::int16_t offset) { return load(8, to, r10, offset); }
// R1 is kept in the lowest word around the helper.
Code kept_around(std::int32_t helper, std::int16_t at) {
  return {mov(r1, 1), spill(at, r1), ask(helper), fill(r1, at)};
}

TEST_F(StackDepth, spills_around_calls_that_keep_registers_are_not_charged) {
  expect_stack({"one", kTc, kept_around(kCpu, -8) + kZero, 0, ""}, "0");
  expect_stack({"around a call that keeps none", kTc, kept_around(kRandom, -8) + kZero, 0, ""}, "8");
  expect_stack({"below what is needed", kTc, Code{put(r10, -16, 1)} + kept_around(kCpu, -24) + kZero, 0, ""},
               "16");
  expect_stack({"in a function", kTc, Code{call_function(1), kExit} + kept_around(kCpu, -8) + kZero, 0, ""},
               "0+0");
  expect_stack(
      {"of two registers", kTc,
       Code{mov(r1, 1), mov(r2, 2), spill(-8, r2), spill(-16, r1), ask(kCpu), fill(r1, -16), fill(r2, -8)} +
           kZero,
       0, ""},
      "0");
  expect_stack({"of R0, which the helper returns", kTc,
                Code{mov(r0, 1), spill(-8, r0), ask(kCpu), fill(r0, -8), kExit}, 0, ""},
               "8");
  expect_stack({"the same word around another call, too", kTc,
                kept_around(kCpu, -8) + kept_around(kRandom, -8) + kZero, 0, ""},
               "8");
  expect_stack({"where no path comes", kTc,
                Code{mov(r0, 0), spill(-16, r0), if_equal(r0, 0, 4)} + kept_around(kCpu, -24) + kZero, 0, ""},
               "16");
}

TEST_F(StackDepth, spills_in_bytes_that_something_else_touches_are_charged) {
  const Code kept = kept_around(kCpu, -8);
  expect_stack({"a load through a pointer", kTc,
                kept + Code{move(r2, r10), add(r2, -8), load(8, r3, r2, 0)} + kZero, 0, ""},
               "8");
  expect_stack({"a store of half a word", kTc, kept + Code{{0x62, r10, -4, 1}} + kZero, 0, ""}, "8");
  expect_stack(
      {"a helper writes", kRawTracepoint,
       kept + Code{move(r1, r10), add(r1, -8), mov(r2, 8), mov(r3, 0), ask(kProbeReadStack)} + kZero, 0, ""},
      "8");
  // As the kernel has it.
  expect_stack(
      {"a helper reads", kTc,
       kept +
           Code{move(r1, r10), add(r1, -8), mov(r2, 8), mov(r3, 0), mov(r4, 0), mov(r5, 0), ask(kCsumDiff)} +
           kZero,
       0, ""},
      "0");
  expect_stack({"a function writes", kTc,
                kept + Code{move(r1, r10),
                            add(r1, -8),
                            call_function(2),
                            mov(r0, 0),
                            kExit,
                            {0x7a, r1, 0, 0},
                            mov(r0, 0),
                            kExit},
                0, ""},
               "8+0");
}

TEST_F(StackDepth, loops_take_words_of_the_stack) {
  const auto looped = [](const Code& flags) {
    return Code{mov(r1, 4),
                {0x18, regs(r2, 4), 0, static_cast<std::int32_t>(flags.size()) + 5},
                kRest,
                mov(r3, 0)} +
           flags + Code{ask(kLoop), mov(r0, 0), kExit} + kZero;
  };
  expect_stack({"bpf_loop", kTc, looped({mov(r4, 0)}), 0, "", {0, 8}}, "24+0");
  expect_stack(
      {"with flags that are not known", kTc, looped({mov(r4, 0), load(4, r4, r10, -4)}), 0, "", {0, 9}},
      "8+0");
  constexpr auto may_goto = [](std::int16_t by) { return abi::Insn{0xe5, 0, by, 0}; };
  expect_stack({"may_goto", kTc, {mov(r0, 0), may_goto(1), mov(r0, 1), kExit}, 0, ""}, "16");
  expect_stack({"may_goto to what follows", kTc, {mov(r0, 0), may_goto(0), kExit}, 0, ""}, "0");
  expect_stack({"over another such", kTc, {mov(r0, 0), may_goto(1), may_goto(0), kExit}, 0, ""}, "0");
  expect_stack({"over nothing", kTc, {mov(r0, 0), may_goto(1), jump(0), kExit}, 0, ""}, "16");
  expect_stack(
      {"where no path comes", kTc, {mov(r0, 0), if_equal(r0, 0, 2), may_goto(-2), kExit, kExit}, 0, ""}, "0");
}

TEST_F(StackDepth, functions_that_no_path_enters_are_not_listed) {
  expect_stack({"the second of three",
                kTc,
                {mov(r0, 0), if_equal(r0, 0, 1), call_function(2), call_function(3), kExit, put(r10, -8, 0),
                 kExit, put(r10, -16, 0), mov(r0, 0), kExit},
                0,
                ""},
               "0+16");
}

// What the log ends with.
TEST_F(StackDepth, the_log_of_a_program_that_is_not_looked_at_ends_with_figures) {
  constexpr const char* kFigures =
      "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n";
  const auto ends_with = [&](const Code& code, const std::string& depths) {
    std::string text;
    EXPECT_LT(load_program({"", kFilter, code, EINVAL, ""}, 1, text), 0);
    EXPECT_TRUE(text.ends_with(kFigures)) << text;
    EXPECT_LT(load_program({"", kFilter, code, EINVAL, ""}, 4, text), 0);
    EXPECT_TRUE(text.ends_with(fmt::format("stack depth {}\n{}", depths, kFigures))) << text;
  };
  ends_with({call_function(100), kExit}, "0");
  ends_with({jump(100), kExit}, "0");
  ends_with({{0xff, 0, 0, 0}, kExit}, "0");
  ends_with({kExit, kExit}, "0");
  ends_with({mov(r0, 0), call_function(1), kExit, jump(-5), kExit}, "0+0");
}

}  // namespace
}  // namespace portolan::syscall::verdicts
