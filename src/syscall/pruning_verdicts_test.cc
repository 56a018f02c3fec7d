// SPDX-License-Identifier: Apache-2.0
// Paths that meet: the second may end there only if nothing that follows could tell it from the first.
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class PruningVerdicts : public Verdicts {};

// Enough for the next place to meet to be kept.
const Code kWay{jump(0), jump(0), mov(r5, 0), mov(r5, 0), mov(r5, 0), mov(r5, 0), mov(r5, 0), mov(r5, 0)};
// R6 = one number or the other: the path with `first` is followed first.
Code one_of(std::uint8_t to, const Code& first, const Code& second) {
  return second + kWay + Code{ask(kRandom), if_equal(r0, 0, static_cast<std::int16_t>(first.size()))} +
         first + Code{{0xbf, regs(to, to), 0, 0}} + kWay;
}
// R8 = the value of key 0, or NULL.
Code looked_up_or_null() {
  return {put(r10, -8, 0), move(r2, r10), add(r2, -8), map_of(r1), kRest, ask(kLookup), move(r8, r0)};
}

TEST_F(PruningVerdicts, a_number_that_is_compared_with_a_pointer_may_be_another_one_on_another_path) {
  expect({{"it was NULL on the first", kFilter,
           looked_up_or_null() + one_of(r7, {mov(r7, 0)}, {mov(r7, 5)}) +
               Code{{0x1d, regs(r8, r7), 1, 0}, load(8, r0, r8, 0)} + kZero,
           EACCES, "R8 invalid mem access 'map_value_or_null'"}});
}

TEST_F(PruningVerdicts, a_number_that_stands_for_bytes_of_zero_matters) {
  // Four bytes of zero on the first path, zero as a number on the second; as another number on the third.
  const Code wide{{0x18, r7, 0, 0}, {0, 0, 0, 0x7000}};
  const Code number =
      looked_up() + Code{move(r8, r0), ask(kRandom), move(r9, r0)} + one_of(r7, {mov(r7, 0)}, wide);
  expect({{"used as an offset", kFilter,
           number + Code{if_equal(r9, 0, 2), {0x62, r10, -12, 0}, jump(1), store(8, r10, -16, r7)} + kWay +
               Code{if_equal(r9, 1, 0), load(4, r1, r10, -12), sum(r8, r1), load(1, r0, r8, 0)} + kZero,
           EACCES, "R8 unbounded memory access, make sure to bounds check any such access"}});
}

TEST_F(PruningVerdicts, a_pointer_on_the_stack_is_not_any_number) {
  expect({{"multiplied", kFilter,
           one_of(r7, {mov(r7, 7)}, {move(r7, r10)}) + Code{store(8, r10, -8, r7)} + kWay +
               Code{if_equal(r0, 1, 0), load(8, r1, r10, -8), {0x27, r1, 0, 3}} + kZero,
           EACCES, "R1 pointer arithmetic with *= operator prohibited"}});
}

TEST_F(PruningVerdicts, an_unknown_number_on_the_stack_may_be_one_with_that_in_a_register) {
  // R7 and the stack hold the same number on the path that is followed first.
  const Code numbers =
      looked_up() + Code{move(r8, r0), ask(kRandom), move(r7, r0), ask(kRandom), move(r6, r0)};
  expect({{"on one path", kFilter,
           numbers + one_of(r9, {store(8, r10, -16, r7)}, {mov(r9, 0), store(8, r10, -16, r6)}) +
               Code{if_equal(r0, 1, 0), if_above(r7, 40, 3), load(8, r1, r10, -16), sum(r8, r1),
                    load(1, r0, r8, 0)} +
               kZero,
           EINVAL, "math between map_value pointer and register with unbounded min value is not allowed"}});
}

constexpr abi::Insn may_goto(std::int16_t by) { return {0xe5, 0, by, 0}; }

TEST_F(PruningVerdicts, a_loop_on_which_nothing_depends_keeps_no_paths_apart) {
  Code code{mov(r6, 0)};
  for (int i = 0; i < 24; ++i)
    code = code + Code{shl(r6, 1), ask(kRandom), if_equal(r0, i, 1), add(r6, 1)} + kWay;
  expect({{"2^24 paths to it", kFilter, code + Code{may_goto(1), jump(-2), move(r0, r6), kExit}, 0, ""}});
}

TEST_F(PruningVerdicts, what_matters_on_one_way_through_a_loop_matters_on_all) {
  // Of the loop one way goes back to its start; the other one uses R7, and is followed later. Last of all the
  // first way is entered with another R7.
  const auto length = static_cast<std::int16_t>(kWay.size());
  const Code before = looked_up() + Code{move(r8, r0), ask(kRandom), mov(r7, 0),
                                         if_equal(r0, 1, static_cast<std::int16_t>(length + 8))};
  expect({{"as an offset", kFilter,
           before +
               Code{may_goto(static_cast<std::int16_t>(length + 5)), ask(kRandom),
                    if_equal(r0, 2, static_cast<std::int16_t>(length + 1))} +
               kWay + Code{jump(static_cast<std::int16_t>(-length - 4)), sum(r8, r7), load(1, r0, r8, 0)} +
               kZero + Code{mov(r7, 1000), jump(-7)},
           EACCES, "R8 min value is outside of the allowed memory range"}});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
