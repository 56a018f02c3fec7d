// SPDX-License-Identifier: Apache-2.0
// bpf_throw: a program ends from wherever it is, with its number or with what its exception callback makes of
// it.
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr abi::Insn kLoadCallback{0x18, 0x40 | r2, 0, 6};

class Exceptions : public Kfuncs {
 protected:
  Code thrown(std::int32_t number) const { return {mov(r1, number), kfunc("bpf_throw")}; }
};

TEST_F(Exceptions, the_number_is_what_the_program_returns) {
  EXPECT_EQ(run(thrown(42) + kZero), 42u);
  // A caller's registers are not those that the functions below have left.
  EXPECT_EQ(run(Code{mov(r6, 1), call_function(1), kExit, mov(r6, 2), mov(r7, 3), call_function(1), kExit,
                     mov(r8, 4), mov(r9, 5)} +
                thrown(43) + Code{mov(r0, 0), kExit}),
            43u);
}

TEST_F(Exceptions, a_program_runs_again_after_it_has_thrown) {
  // Throws if the first byte of the context says so.
  const Code passed = Code{load(1, r1, r1, 0), call_function(2), mov(r0, 7), kExit, if_equal(r1, 0, 2)} +
                      thrown(9) + Code{mov(r0, 0), kExit};
  std::vector<std::byte> throws(64, std::byte{1}), returns(64);
  EXPECT_EQ(run(passed, throws), 9u);
  EXPECT_EQ(run(passed, returns), 7u);
  EXPECT_EQ(run(passed, throws), 9u);
}

TEST_F(Exceptions, nothing_is_held_when_it_is_thrown) {
  expect({
      {"nothing", kTc, thrown(1) + kZero, 0, ""},
      {"an iterator", kTc,
       stack_at(r1, -8) + Code{mov(r2, 0), mov(r3, 9), kfunc("bpf_iter_num_new")} + thrown(1) + kZero, EINVAL,
       "bpf_throw would lead to reference leak"},
      {"an RCU section", kTc, Code{kfunc("bpf_rcu_read_lock")} + thrown(1) + kZero, EINVAL,
       "bpf_throw cannot be used inside bpf_rcu_read_lock-ed region"},
      {"in a function, with a section of its caller", kTc,
       Code{kfunc("bpf_preempt_disable"), call_function(3), kfunc("bpf_preempt_enable"), mov(r0, 0), kExit} +
           thrown(1) + kZero,
       EINVAL, "bpf_throw cannot be used inside bpf_preempt_disable-ed region"},
  });
}

TEST_F(Exceptions, what_is_thrown_is_what_such_programs_may_return) {
  expect({
      {"too large", kCgroupSkb, thrown(5) + kZero, EINVAL,
       "At program exit the register R1 has smin=5 smax=5 should have been in [0, 1]"},
      {"as it should be", kCgroupSkb, thrown(1) + kZero, 0, ""},
      {"a pointer", kTc, Code{move(r1, r10), kfunc("bpf_throw")} + kZero, EINVAL, "R1 is not a scalar"},
      {"by programs that may not", kFilter, thrown(1) + kZero, EACCES,
       "calling kernel function bpf_throw is not allowed"},
  });
}

TEST_F(Exceptions, functions_that_throw_are_not_called_by_callbacks_whoever_else_calls_them) {
  const Code main{call_function(8), mov(r1, 3), {0x18, 0x40 | r2, 0, 9},
                  {0, 0, 0, 0},     mov(r3, 0), mov(r4, 0),
                  ask(kLoop),       mov(r0, 0), kExit};
  const Code function{call_function(5), mov(r0, 0), kExit}, callback{call_function(2), mov(r0, 0), kExit};
  expect(Verdict{"from both",
                 kTc,
                 main + function + callback + thrown(1) + kZero,
                 EINVAL,
                 "bpf_throw kfunc (insn 16) cannot be called from callback subprog 3",
                 {0, 9, 12, 15}});
}

TEST_F(Exceptions, helpers_are_not_left_by_one) {
  expect(Verdict{
      "in a callback",
      kTc,
      Code{mov(r1, 3), kLoadCallback, {0, 0, 0, 0}, mov(r3, 0), mov(r4, 0), ask(kLoop), mov(r0, 0), kExit} +
          thrown(1) + kZero,
      EINVAL,
      "bpf_throw kfunc (insn 9) cannot be called from callback subprog 1",
      {0, 8}});
}

// A program whose second function, from `callback` on, is tagged as its exception callback; `tags` times.
class ExceptionCallbacks : public Exceptions {
 protected:
  long load(const Code& code, std::uint32_t callback, const std::vector<std::string>& tags) {
    using Kind = btf::Blob::Kind;
    btf::Blob blob;
    const std::uint32_t number = blob.integer("int", 4, 1);
    const std::uint32_t of_context = blob.type(Kind::kFuncProto, "", 0, number);
    const std::uint32_t of_number =
        blob.type(Kind::kFuncProto, "", 1, number, {blob.string("cookie"), number});
    const std::uint32_t main = blob.type(Kind::kFunc, "main", 0, of_context);
    const std::uint32_t catches = blob.type(Kind::kFunc, "catches", 1, of_number);
    for (const std::string& tag : tags) blob.decl_tag(tag, main);
    const std::vector<std::byte> types = blob.bytes();
    abi::Attr load_types{};
    load_types.btf_load.btf = address(types.data());
    load_types.btf_load.btf_size = static_cast<std::uint32_t>(types.size());
    const long fd = call(kBtfLoad, load_types);
    EXPECT_GE(fd, 0);
    const abi::FuncInfo functions[] = {{0, main}, {callback, catches}};
    log_.assign(1 << 16, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = kSyscall;
    attr.prog_load.prog_flags = abi::prog_flag::kSleepable;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log_.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log_.size());
    attr.prog_load.log_level = 1;
    attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(fd);
    attr.prog_load.func_info = address(functions);
    attr.prog_load.func_info_cnt = 2;
    attr.prog_load.func_info_rec_size = sizeof functions[0];
    return call(kProgLoad, attr);
  }
  bool log_says(const char* text) const { return log_.find(text) != std::string::npos; }
  std::string log_;
  const std::string tag_ = "exception_callback:catches";
};

TEST_F(ExceptionCallbacks, what_they_return_is_what_the_program_returns) {
  const Code code = Code{mov(r6, 100)} + thrown(42) + kZero + Code{move(r0, r1), add(r0, 1), kExit};
  for (const bool by_jit : {false, true}) {
    vm::set_jit_for_test(by_jit);
    const long fd = load(code, 5, {tag_});
    ASSERT_GE(fd, 0) << log_.c_str();
    abi::Attr test{};
    test.test.prog_fd = static_cast<std::uint32_t>(fd);
    EXPECT_EQ(call(kProgTestRun, test), 0);
    EXPECT_EQ(test.test.retval, 43u);
  }
}

TEST_F(ExceptionCallbacks, nobody_calls_them_and_they_throw_nothing) {
  const Code calls = Code{mov(r1, 0), call_function(1), kExit, mov(r0, 0), kExit};
  EXPECT_EQ(load(calls, 3, {tag_}), -EINVAL);
  EXPECT_TRUE(log_says("insn 1 cannot call exception cb directly")) << log_.c_str();
  const Code throws = kZero + thrown(1) + kZero;
  EXPECT_EQ(load(throws, 2, {tag_}), -EINVAL);
  EXPECT_TRUE(log_says("bpf_throw kfunc (insn 3) cannot be called from callback subprog 1")) << log_.c_str();
}

TEST_F(ExceptionCallbacks, there_is_one_of_them) {
  EXPECT_EQ(load(kZero + kZero, 2, {tag_, tag_}), -EEXIST);
  EXPECT_TRUE(log_says("multiple exception callback tags for main subprog")) << log_.c_str();
  EXPECT_EQ(load(kZero + kZero, 2, {"exception_callback:main"}), -EINVAL);
  EXPECT_TRUE(log_says("exception callback 'main' must have global linkage")) << log_.c_str();
  EXPECT_EQ(load(kZero + kZero, 2, {"exception_callback:nobody"}), -EINVAL);
  EXPECT_TRUE(log_says("exception callback 'nobody' could not be found in BTF")) << log_.c_str();
}

}  // namespace
}  // namespace portolan::syscall::verdicts
