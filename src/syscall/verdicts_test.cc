// SPDX-License-Identifier: Apache-2.0
// Shape, stack, calls, loops, results.
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

TEST_F(Verdicts, the_shape_of_a_program_is_looked_at_before_its_encoding) {
  expect({
      {"junk that does not end", kFilter, {{0xff, 0, 0, 0}}, EINVAL, "last insn is not an exit or jmp"},
      {"junk", kFilter, {{0xff, 0, 0, 0}, kExit}, EINVAL, "unknown opcode ff"},
      {"a call of a register", kFilter, {{0x8d, 0, 0, -2}, kExit}, EINVAL, "unknown opcode 8d"},
      {"a load in no mode", kFilter, {{0x01, 0, 0, 0}, kExit}, EINVAL, "BPF_LDX uses reserved fields"},
      {"bad fields and bad registers",
       kFilter,
       {{0x7f, 0xff, -1, -1}, kExit},
       EINVAL,
       "BPF_ALU uses reserved fields"},
      {"a wide load with an offset",
       kFilter,
       {{0x18, 0, 1, 0}, kRest, kExit},
       EINVAL,
       "BPF_LD_IMM64 uses reserved fields"},
      {"one where no path leads",
       kFilter,
       {mov(r0, 0), if_equal(r0, 0, 2), {0x18, 0, 1, 0}, kRest, kExit},
       0,
       ""},
      {"a call into half an instruction",
       kFilter,
       {call_function(2), kExit, {0x18, 0, 0, 0}, {0x85, 0x10, 0, 0}, kExit},
       EINVAL,
       "last insn is not an exit or jmp"},
      {"half an instruction that calls",
       kFilter,
       {{0x18, 0, 0, 0}, {0x85, 0x10, 0, 0}, kExit, kExit},
       EINVAL,
       "last insn is not an exit or jmp"},
      {"half an instruction", kFilter, {{0x18, 0, 0, 0}}, EINVAL, "last insn is not an exit or jmp"},
  });
}

TEST_F(Verdicts, stack_is_512_bytes_and_aligned) {
  expect({
      {"beyond its end",
       kFilter,
       {load(8, r0, r10, -520), kExit},
       EACCES,
       "invalid read from stack R10 off=-520 size=8"},
      {"at the frame pointer",
       kFilter,
       {store(8, r10, 0, r10), kExit},
       EACCES,
       "invalid write to stack R10 off=0 size=8"},
      {"crooked",
       kFilter,
       {load(8, r0, r10, -12), kExit},
       EACCES,
       "misaligned stack access off 0+0+-12 size 8"},
      {"a helper over the frame pointer",
       kTc,
       {mov(r2, 0), move(r3, r10), add(r3, -4), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EINVAL,
       "invalid write to stack R3 off=-4 size=8"},
      {"a helper below the stack",
       kTc,
       {mov(r2, 0), move(r3, r10), add(r3, -513), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EACCES,
       "invalid write to stack R3 off=-513 size=8"},
      {"somewhere around the frame pointer",
       kFilter,
       {ask(kRandom), bit_and(r0, 255), move(r1, r10), add(r1, -16), sum(r1, r0), load(1, r0, r1, -4), kExit},
       EINVAL,
       "invalid variable-offset read from stack R1 var_off=(0x0; 0xff) off=-20 size=1"},
      {"half a pointer",
       kFilter,
       {store(4, r10, -8, r1), mov(r0, 0), kExit},
       EACCES,
       "invalid size of register spill"},
      {"a pointer read by half",
       kFilter,
       {store(8, r10, -8, r1), load(4, r0, r10, -8), kExit},
       EACCES,
       "invalid size of register fill"},
      {"its pointer in a caller's frame",
       kFilter,
       {move(r1, r10), add(r1, -8), call_function(1), kExit, store(8, r1, 0, r10), mov(r0, 0), kExit},
       EINVAL,
       "cannot spill pointers to stack into stack frame of the caller"},
      {"the context in a caller's frame",
       kFilter,
       {move(r2, r10), add(r2, -8), call_function(1), kExit, store(8, r2, 0, r1), mov(r0, 0), kExit},
       0,
       ""},
      {"a returned pointer",
       kFilter,
       {call_function(1), kExit, move(r0, r10), kExit},
       EINVAL,
       "cannot return stack pointer to the caller"},
  });
}

TEST_F(Verdicts, calls_end_somewhere) {
  Code nine;
  for (int i = 0; i < 8; ++i) nine = nine + Code{call_function(1), kExit};
  expect({
      {"nine frames", kFilter, nine + kZero, E2BIG, "the call stack of 9 frames is too deep"},
      {"600 bytes in two",
       kFilter,
       {put(r10, -304, 0), call_function(1), kExit, put(r10, -296, 0), mov(r0, 0), kExit},
       EACCES,
       "combined stack size of 2 calls is 608. Too large"},
      {"frames without stack count nothing",
       kFilter,
       {call_function(1), kExit, put(r10, -256, 0), call_function(1), kExit, put(r10, -256, 0), mov(r0, 0),
        kExit},
       0,
       ""},
      {"a function that calls itself until it does not",
       kFilter,
       {mov(r1, 0), call_function(1), kExit, move(r6, r1), if_above(r6, 1, 3), add(r1, 1), call_function(-4),
        jump(1), mov(r0, 0), kExit},
       E2BIG,
       "the call stack of 8 frames is too deep !"},
  });
}

TEST_F(Verdicts, functions_of_tracing_programs_have_stacks_of_their_own) {
  const Code big{put(r10, -512, 0), call_function(1), kExit, put(r10, -512, 0), mov(r0, 0), kExit};
  Code nine;
  for (int i = 0; i < 8; ++i) nine = nine + Code{put(r10, -512, 0), call_function(1), kExit};
  const Code eight{nine.begin() + 3, nine.end()};
  for (std::uint32_t type : {kKprobe, kTracepoint, kPerfEvent, kRawTracepoint}) {
    expect({
        {"two that fill 512 bytes", type, big, 0, ""},
        {"eight that fill 512 bytes", type, eight + kZero, 0, ""},
        {"nine", type, nine + kZero, E2BIG, "the call stack of 9 frames is too deep"},
    });
  }
  expect({
      {"where nothing is traced", kFilter, big, EACCES, "combined stack size of 2 calls is 1024. Too large"},
      {"a writable raw tracepoint", kRawTracepointWritable, big, EACCES,
       "combined stack size of 2 calls is 1024. Too large"},
      {"where a function makes a tail call",
       kKprobe,
       {put(r10, -512, 0), programs_of(r2), kRest, mov(r3, 0), ask(kTailCall), call_function(1), kExit,
        put(r10, -512, 0), mov(r0, 0), kExit},
       EACCES,
       "combined stack size of 2 calls is 1024. Too large"},
  });
}

TEST_F(Verdicts, a_load_beyond_the_packet_ends_its_function_with_zero) {
  // The function returns 1 where it comes to its end; the caller reads R9, which nobody wrote, where it is 0.
  const Code program{call_function(4), if_not(r0, 0, 1), move(r0, r9), mov(r0, 0), kExit,
                     move(r6, r1),     {0x20, 0, 0, 0},  mov(r0, 1),   kExit};
  expect({
      {"in a function without BTF", kFilter, program, EINVAL,
       "LD_ABS is not allowed in subprogs without BTF"},
      {"in one that returns int", kFilter, program, EACCES, "R9 !read_ok", {0, 5}},
  });
}

TEST_F(Verdicts, bpf_loop_calls_back_as_often_as_it_is_told) {
  // Each round adds 1 to what lies in the caller's frame, where R6 will be moved by as much.
  const auto program = [](std::int32_t rounds) {
    return looked_up() + Code{move(r6, r0),
                              put(r10, -16, 0),
                              mov(r1, rounds),
                              {0x18, regs(r2, 4), 0, 10},
                              kRest,
                              move(r3, r10),
                              add(r3, -16),
                              mov(r4, 0),
                              ask(kLoop),
                              load(8, r1, r10, -16),
                              sum(r6, r1),
                              load(1, r0, r6, 0),
                              mov(r0, 0),
                              kExit,
                              // the callback
                              load(8, r1, r2, 0),
                              add(r1, 1),
                              store(8, r2, 0, r1),
                              mov(r0, 0),
                              kExit};
  };
  expect({
      {"47 times", kFilter, program(47), 0, "", {0, 22}},
      {"48 times",
       kFilter,
       program(48),
       EACCES,
       "R6 min value is outside of the allowed memory range",
       {0, 22}},
  });
}

TEST_F(Verdicts, numbers_that_change_from_round_to_round_come_to_rest) {
  // As many rounds as a random number says, some of which add to what nothing depends on.
  expect(Verdict{"a sum",
                 kFilter,
                 {put(r10, -16, 0),
                  ask(kRandom),
                  move(r1, r0),
                  {0x18, regs(r2, 4), 0, 7},
                  kRest,
                  move(r3, r10),
                  add(r3, -16),
                  mov(r4, 0),
                  ask(kLoop),
                  load(8, r0, r10, -16),
                  kExit,
                  // the callback
                  move(r6, r2),
                  ask(kRandom),
                  if_above(r0, 9, 2),
                  mov(r0, 0),
                  kExit,
                  load(8, r1, r6, 0),
                  add(r1, 3),
                  store(8, r6, 0, r1),
                  mov(r0, 0),
                  kExit},
                 0,
                 "",
                 {0, 11}});
}

TEST_F(Verdicts, a_callback_that_is_never_called_may_be_named) {
  expect(Verdict{"before another one",
                 kFilter,
                 {{0x18, regs(r2, 4), 0, 9},
                  kRest,
                  mov(r1, 1),
                  {0x18, regs(r2, 4), 0, 8},
                  kRest,
                  mov(r3, 0),
                  mov(r4, 0),
                  ask(kLoop),
                  mov(r0, 0),
                  kExit,
                  mov(r0, 1),
                  kExit,
                  mov(r0, 1),
                  kExit},
                 0,
                 "",
                 {0, 10, 12}});
  const auto at_the_end = [](std::int32_t rounds) -> Code {
    return {mov(r1, rounds), {0x18, regs(r2, 4), 0, 6},
            kRest,           mov(r3, 0),
            mov(r4, 0),      ask(kLoop),
            mov(r0, 0),      kExit,
            mov(r0, 0),      kExit};
  };
  expect({{"alone", kFilter, at_the_end(0), 0, "", {0, 8}},
          {"and called", kFilter, at_the_end(1), 0, "", {0, 8}}});
}

TEST_F(Verdicts, functions_of_the_kernel_may_stand_where_no_path_comes) {
  constexpr abi::Insn kfunc{0x85, 0x20, 0, 0};
  expect({
      {"behind a jump", kFilter, {mov(r0, 0), if_equal(r0, 0, 1), kfunc, kExit}, 0, ""},
      {"on the way",
       kFilter,
       {mov(r0, 0), kfunc, kExit},
       EINVAL,
       "invalid kernel function call not eliminated in verifier pass"},
  });
}

TEST_F(Verdicts, what_cgroup_programs_return_is_64_bits_wide) {
  expect({
      {"an unknown number",
       kCgroupSkb,
       {ask(kRandom), kExit},
       EINVAL,
       "At program exit the register R0 has unknown scalar value should have been in [0, 1]"},
      {"above 32 bits",
       kCgroupSkb,
       {ask(kRandom), {0x77, r0, 0, 63}, shl(r0, 32), kExit},
       EINVAL,
       "At program exit the register R0 has smin=0 smax=4294967296 should have been in [0, 1]"},
  });
}

TEST_F(Verdicts, endless_loops_show_what_does_not_change) {
  expect(Verdict{
      "two jumps", kFilter, {mov(r0, 0), jump(0), jump(-2)}, EINVAL, "old state: R0=0 R1=ctx() R10=fp0"});
}

TEST_F(Verdicts, stack_that_nobody_reads_keeps_no_paths_apart) {
  // Each jump skips a store to one of 8 slots: 2^40 paths, unless they meet.
  Code code{move(r8, r1)};
  for (int i = 0; i < 40; ++i)
    code = code + Code{ask(kRandom), if_equal(r0, i, 2), move(r1, r10),
                       store(8, r1, static_cast<std::int16_t>(-8 * (i % 8 + 1)), r8)};
  expect({{"none is read", kFilter, code + kZero, 0, ""},
          {"one is", kFilter, code + Code{load(8, r1, r10, -8), load(4, r0, r1, 0)} + kZero, EACCES,
           "R1 invalid mem access 'scalar'"}});
}

// Linux 6.18 counts the callback where it is named, and lets both pass.
TEST_F(Verdicts, no_more_frames_are_active_than_there_is_room_for) {
  const auto program = [](std::uint32_t functions) -> Verdict {
    const std::uint32_t callback = 7 + 2 * functions + 4;
    Code code{call_function(2),
              mov(r0, 0),
              kExit,
              {0x18, regs(r1, 4), 0, static_cast<std::int32_t>(callback - 4)},
              kRest,
              call_function(1),
              kExit};
    Verdict verdict{"", kFilter, {}, 0, "", {0, 3}, 3};
    for (std::uint32_t i = 1; i < functions; ++i) {
      verdict.functions.push_back(static_cast<std::uint32_t>(code.size()));
      code = code + Code{call_function(1), kExit};
    }
    verdict.functions.push_back(static_cast<std::uint32_t>(code.size()));
    verdict.functions.push_back(callback);
    verdict.code = code + Code{move(r2, r1), mov(r1, 1), mov(r3, 0), mov(r4, 0), ask(kLoop), kExit} + kZero;
    return verdict;
  };
  Verdict deep = program(5), too_deep = program(6);
  deep.name = "the main program, a global function, five that pass a callback on, and that";
  too_deep.name = "one more";
  too_deep.error = E2BIG;
  too_deep.last_line = "the call stack of 9 frames is too deep !";
  expect({deep, too_deep});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
