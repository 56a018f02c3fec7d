// SPDX-License-Identifier: Apache-2.0
// What is known of numbers: no less and no more than in the kernel.
#include <limits>

#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class NumberVerdicts : public Verdicts {};

TEST_F(NumberVerdicts, numbers_that_are_one_learn_from_each_other) {
  const Code number{move(r6, r0), ask(kRandom)};
  expect({
      {"a copy on the stack", kFilter,
       looked_up() + number +
           Code{store(8, r10, -16, r0), if_above(r0, 40, 3), load(8, r1, r10, -16), sum(r6, r1),
                load(1, r0, r6, 0), mov(r0, 0), kExit},
       0, ""},
      {"a narrow copy of a narrow number", kFilter,
       looked_up() + number +
           Code{bit_and(r0, 0xff), store(1, r10, -16, r0), if_above(r0, 40, 3), load(1, r1, r10, -16),
                sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit},
       0, ""},
      {"a narrow copy of a wide number", kFilter,
       looked_up() + number +
           Code{bit_and(r0, 0xfff), store(1, r10, -16, r0), if_above(r0, 40, 3), load(1, r1, r10, -16),
                sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit},
       EACCES, "R6 max value is outside of the allowed memory range"},
      {"a sum with a constant", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 8), if_above(r0, 39, 2), sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0),
                kExit},
       0, ""},
      {"a sum that is one too large", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 8), if_above(r0, 40, 2), sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0),
                kExit},
       EACCES, "R6 max value is outside of the allowed memory range"},
      {"a sum of a sum", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 4), add(r1, 4), if_above(r0, 39, 2), sum(r6, r1), load(1, r0, r6, 0),
                mov(r0, 0), kExit},
       EINVAL, "math between map_value pointer and register with unbounded min value is not allowed"},
      {"shifts that extend the sign", kFilter,
       looked_up() + number +
           Code{{0x66, r0, 6, 40},
                {0xc6, r0, 5, 0},
                shl(r0, 32),
                sar(r0, 32),
                sum(r6, r0),
                load(1, r0, r6, 0),
                jump(0),
                mov(r0, 0),
                kExit},
       0, ""},
      {"a range that is cut at both ends of the sign",
       kFilter,
       // u> 2 and s< 2 leave negative numbers only: the last jump is always taken.
       {ask(kRandom),
        {0xa5, r0, 3, 3},
        {0x65, r0, 2, 1},
        {0xc5, r0, 1, 0},
        load(8, r0, r9, 0),
        mov(r0, 0),
        kExit},
       0,
       ""},
  });
}

TEST_F(NumberVerdicts, sums_and_differences_are_linked_with_what_they_are_of) {
  // R6 = a value; R0 = a number; and R1 = R0.
  const Code numbers = looked_up() + Code{move(r6, r0), ask(kRandom), move(r1, r0)};
  const Code read{sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit};
  const Code narrow{{0xbc, regs(r0, r0), 0, 0}, move(r1, r0)};
  expect({
      {"less a constant", kFilter, numbers + Code{{0x17, r1, 0, 4}, if_above(r1, 30, 3), move(r1, r0)} + read,
       0, ""},
      {"a negative constant", kFilter, numbers + Code{add(r1, -4), if_above(r1, 30, 3), move(r1, r0)} + read,
       0, ""},
      {"32 bits of a narrow number", kFilter,
       numbers + narrow + Code{{0x04, r1, 0, 4}, if_above(r0, 30, 2)} + read, 0, ""},
      {"32 bits of a wide one", kFilter, numbers + Code{{0x04, r1, 0, 4}, if_above(r0, 30, 2)} + read, EACCES,
       "R6 unbounded memory access, make sure to bounds check any such access"},
      {"the lowest constant", kFilter,
       numbers + Code{add(r1, std::numeric_limits<std::int32_t>::min()), if_above(r1, 30, 2)} + read, EINVAL,
       "map_value pointer offset -2147483648 is not allowed"},
      {"the sign of low bits that say no more", kFilter,
       numbers + Code{bit_and(r0, 0x3f), {0xbf, regs(r1, r0), 16, 0}, if_above(r0, 40, 2)} + read, 0, ""},
  });
}

TEST_F(NumberVerdicts, bytes_that_change_places_take_with_them_what_is_known) {
  constexpr abi::Insn kBswap16{0xd7, r1, 0, 16}, kBe16{0xdc, r1, 0, 16}, kBswap64{0xd7, r1, 0, 64},
      kLe32{0xd4, r1, 0, 32};
  const auto used = [](const Code& reordered) {
    return looked_up() + Code{move(r6, r0), ask(kRandom), move(r1, r0)} + reordered +
           Code{sum(r6, r1), load(1, r0, r6, 0)} + kZero;
  };
  const char* const too_large = "R6 max value is outside of the allowed memory range";
  expect({
      {"the low byte becomes the high one", kFilter, used({bit_and(r1, 0x1f), kBswap16}), EACCES, too_large},
      {"and the high one the low one", kFilter, used({bit_and(r1, 0x1f00), kBswap16}), 0, ""},
      {"by the order of the network", kFilter, used({bit_and(r1, 0x1f00), kBe16}), 0, ""},
      {"of which the lower ones go", kFilter, used({bit_and(r1, 0x1fff), kBswap16}), EACCES, too_large},
      {"all eight", kFilter, used({bit_and(r1, 0x1f), shl(r1, 56), kBswap64}), 0, ""},
      {"of a constant", kFilter, used({mov(r1, 0x2000), kBswap16}), 0, ""},
      {"that stay where they are", kFilter, used({bit_and(r1, 0x1f), kLe32}), 0, ""},
  });
}

TEST_F(NumberVerdicts, less_is_known_where_the_kernel_knows_less) {
  const Code number = looked_up() + Code{move(r6, r0), ask(kRandom), move(r1, r0)};
  const Code read{sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit};
  constexpr const char* kTooFar = "R6 max value is outside of the allowed memory range";
  constexpr const char* kUnbounded =
      "math between map_value pointer and register with unbounded min value is not allowed";
  constexpr const char* kNegative =
      "R6 min value is negative, either use unsigned index or do a if (index >=0) check.";
  expect({
      {"after bits that were not set", kFilter, number + Code{if_above(r1, 40, 3), {0x45, r1, 2, 3}} + read,
       EACCES, kTooFar},
      {"the sign of bits that are known", kFilter,
       number + Code{shl(r1, 40), {0xbf, regs(r1, r1), 16, 0}} + read, EACCES, kNegative},
      {"an upper bound as a signed number, after one without a sign", kFilter,
       number + Code{{0x65, r1, 3, 40}, if_above(r1, 60, 2)} + read, EACCES, kTooFar},
      {"bytes of zero beside a zero", kFilter,
       number + Code{mov(r2, 0), store(4, r10, -16, r2), {0x62, r10, -12, 0}, load(8, r1, r10, -16)} + read,
       EINVAL, kUnbounded},
      {"a zero on the stack that is written into", kFilter,
       number + Code{put(r10, -16, 0), {0x72, r10, -13, 0}, load(8, r1, r10, -16)} + read, EINVAL,
       kUnbounded},
      {"zeros at an unknown place", kFilter,
       number +
           Code{put(r10, -16, 0), put(r10, -24, 0), bit_and(r1, 8), move(r2, r10), add(r2, -24), sum(r2, r1),
                load(8, r1, r2, 0)} +
           read,
       EINVAL, kUnbounded},
      {"half a pointer", kFilter, number + Code{store(8, r10, -16, r10), load(4, r1, r10, -12)} + read,
       EACCES, "invalid size of register fill"},
  });
}

TEST_F(NumberVerdicts, a_way_that_is_never_gone_is_followed_with_what_its_bits_say) {
  // R1 is a multiple of 2^32 that is not 0, and not above 40.
  expect({{"nothing is left but 0", kFilter,
           looked_up() +
               Code{move(r6, r0), ask(kRandom), move(r1, r0), bit_and(r1, 0xff), shl(r1, 32),
                    if_equal(r1, 0, 3), if_above(r1, 40, 2), sum(r6, r1), load(1, r0, r6, 0)} +
               kZero,
           0, ""}});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
