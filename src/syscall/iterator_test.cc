// SPDX-License-Identifier: Apache-2.0
// Open-coded iterators: what programs may do with them, and what they give.
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class Iterators : public Kfuncs {
 protected:
  Code made(std::int32_t begin, std::int32_t end, std::int32_t at = -8) const {
    return stack_at(r1, at) + Code{mov(r2, begin), mov(r3, end), kfunc("bpf_iter_num_new")};
  }
  Code next(std::int32_t at = -8) const { return stack_at(r1, at) + Code{kfunc("bpf_iter_num_next")}; }
  Code destroyed(std::int32_t at = -8) const {
    return stack_at(r1, at) + Code{kfunc("bpf_iter_num_destroy")};
  }
};

TEST_F(Iterators, a_loop_that_adds_what_it_gets_ends) {
  // R6 is another number each time round, which nothing depends on.
  const Code loop = Code{mov(r6, 0)} + made(10, 1000) + next() +
                    Code{if_equal(r0, 0, 3), load(4, r1, r0, 0), sum(r6, r1), jump(-7)} + destroyed() +
                    Code{move(r0, r6), kExit};
  EXPECT_EQ(run(loop), 999u * 1000 / 2 - 45);
}

TEST_F(Iterators, numbers_that_cannot_be_counted_through_give_none) {
  const auto error_of = [&](std::int32_t begin, std::int32_t end) {
    return run(made(begin, end) + Code{move(r6, r0)} + destroyed() + Code{move(r0, r6), kExit});
  };
  EXPECT_EQ(error_of(5, 5), 0u);
  EXPECT_EQ(error_of(6, 5), static_cast<std::uint32_t>(-EINVAL));
  EXPECT_EQ(error_of(0, 8 * 1024 * 1024), 0u);
  EXPECT_EQ(error_of(-1, 8 * 1024 * 1024), static_cast<std::uint32_t>(-E2BIG));
}

TEST_F(Iterators, each_is_made_once_and_destroyed_once) {
  const Code end = destroyed() + kZero;
  expect({
      {"made and destroyed", kFilter, made(0, 3) + end, 0, ""},
      {"again afterwards", kFilter, made(0, 3) + destroyed() + made(0, 3) + end, 0, ""},
      {"never destroyed", kFilter, made(0, 3) + kZero, EINVAL,
       "BPF_EXIT instruction in main prog would lead to reference leak"},
      {"made twice", kFilter, made(0, 3) + made(0, 3) + end, EINVAL,
       "expected uninitialized iter_num as arg #0"},
      {"destroyed twice", kFilter, made(0, 3) + destroyed() + end, EINVAL,
       "expected an initialized iter_num as arg #0"},
      {"next of none", kFilter, next() + kZero, EINVAL, "expected an initialized iter_num as arg #0"},
      {"next of another kind", kFilter,
       made(0, 3) + stack_at(r1, -16) + Code{kfunc("bpf_iter_bits_next")} + end, EINVAL,
       "expected an initialized iter_bits as arg #0"},
      {"not on the stack", kFilter, Code{kfunc("bpf_iter_num_next")} + kZero, EINVAL,
       "arg#0 expected pointer to an iterator on stack"},
      {"across two words", kFilter, made(0, 3, -12) + kZero, EINVAL, "cannot pass in iter at an offset=-12"},
  });
}

TEST_F(Iterators, programs_do_not_look_into_them) {
  const Code end = destroyed() + kZero;
  expect({
      {"a read", kFilter, made(0, 3) + Code{load(8, r1, r10, -8)} + end, EACCES,
       "invalid read from stack off -8+0 size 8"},
      {"a read of one byte", kFilter, made(0, 3) + Code{load(1, r1, r10, -4)} + end, EACCES,
       "invalid read from stack off -4+0 size 1"},
      {"a write, which leaves none", kFilter, made(0, 3) + Code{put(r10, -8, 0)} + end, EINVAL,
       "expected an initialized iter_num as arg #0"},
  });
}

TEST_F(Iterators, an_element_is_there_until_the_iterator_is_destroyed) {
  expect({
      {"not yet asked for NULL", kFilter,
       made(0, 3) + next() + Code{load(4, r1, r0, 0)} + destroyed() + kZero, EACCES,
       "R0 invalid mem access 'scalar'"},
      {"written", kFilter,
       made(0, 3) + next() + Code{if_equal(r0, 0, 1), store(4, r0, 0, r10)} + destroyed() + kZero, EACCES,
       "R0 cannot write into rdonly_mem"},
      {"after the end", kFilter,
       made(0, 3) + next() + Code{move(r6, r0)} + destroyed() + Code{if_equal(r6, 0, 1), load(4, r1, r6, 0)} +
           kZero,
       EACCES, "R6 invalid mem access 'scalar'"},
  });
}

TEST_F(Iterators, rounds_must_be_bounded_by_them) {
  // The loop never asks again.
  expect(Verdict{"a loop inside of a loop", kFilter,
                 made(0, 3) + next() + Code{if_equal(r0, 0, 1), jump(-1)} + destroyed() + kZero, EINVAL,
                 "old state: R0=mem(id=2,sz=4) R10=fp0 fp-8=iter_num(ref_id=1,state=active,depth=1)"});
  // Another iterator each time round bounds nothing.
  expect(Verdict{"a loop around one", kFilter,
                 made(0, 3) + next() + destroyed() + Code{ask(kRandom), if_not(r0, 77, -13)} + kZero, EINVAL,
                 "old state: R0=scalar() R1=fp-8 R10=fp0 fp-8=iter_num(ref_id=1,state=active,depth=0)"});
}

TEST_F(Iterators, bits_are_given_in_order) {
  const auto sum_of_bits = [&](std::vector<std::uint64_t> words) {
    std::vector<std::byte> context(words.size() * 8);
    std::memcpy(context.data(), words.data(), context.size());
    // The words lie in the context, which iter_bits_new reads as any memory.
    return run(Code{mov(r6, 0), move(r2, r1)} + stack_at(r1, -16) +
                   Code{mov(r3, static_cast<std::int32_t>(words.size())), kfunc("bpf_iter_bits_new")} +
                   stack_at(r1, -16) + Code{kfunc("bpf_iter_bits_next")} +
                   Code{if_equal(r0, 0, 3), load(4, r1, r0, 0), sum(r6, r1), jump(-7)} + stack_at(r1, -16) +
                   Code{kfunc("bpf_iter_bits_destroy"), move(r0, r6), kExit},
               context);
  };
  EXPECT_EQ(sum_of_bits({0}), 0u);
  EXPECT_EQ(sum_of_bits({std::uint64_t{1} << 63 | 2}), 64u);
  EXPECT_EQ(sum_of_bits({0, 3, 0, std::uint64_t{1} << 63}), 64u + 65 + 255);
}

TEST_F(Iterators, those_over_objects_of_the_kernel_are_refused_by_name) {
  expect(Verdict{"tasks", kFilter, Code{kfunc("bpf_iter_task_new")} + kZero, EACCES,
                 "calling kernel function bpf_iter_task_new is not allowed"});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
