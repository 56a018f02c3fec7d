// SPDX-License-Identifier: Apache-2.0
// Programs that are attached to functions of programs: what is refused, with the kernel's words, and what
// runs.
#include <algorithm>

#include "abi/insn.h"
#include "abi/prog_flags.h"
#include "abi/prog_type.h"
#include "btf/blob_for_test.h"
#include "helper/kernel_btf.h"
#include "sync/call_epoch.h"
#include "syscall/world_for_test.h"
#include "vm/prepare.h"

namespace portolan::syscall {
namespace {

using abi::AttachType;
using abi::Insn;
using abi::ProgType;
using enum abi::Command;
using Code = std::vector<Insn>;
using Kind = btf::Blob::Kind;

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn kExit{0x95, 0, 0, 0};
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }
constexpr Insn move(unsigned to, unsigned from) { return {0xbf, regs(to, from), 0, 0}; }
constexpr Insn call_function(std::int32_t by) { return {0x85, regs(0, 1), 0, by}; }
constexpr Insn load64(unsigned to, unsigned from, std::int16_t off) { return {0x79, regs(to, from), off, 0}; }

// What functions are, by BTF.
struct Types {
  Types() {
    const auto function = [this](const char* name, bool is_global, std::uint32_t prototype) {
      return blob.type(Kind::kFunc, name, is_global ? 1 : 0, prototype);
    };
    const auto prototype = [this](std::uint32_t result, std::initializer_list<std::uint32_t> words) {
      return blob.type(Kind::kFuncProto, "", static_cast<std::uint32_t>(words.size() / 2), result, words);
    };
    const std::uint32_t a = blob.string("a"), number = blob.integer("int", 4, 1);
    const std::uint32_t small = blob.integer("short", 2, 1), context = blob.structure("__sk_buff", 4, {});
    const std::uint32_t pointer = blob.type(Kind::kPtr, "", 0, context);
    const std::uint32_t enumeration = blob.type(Kind::kEnum, "choice", 0, 4);
    main = function("main", true, prototype(number, {a, pointer}));
    takes_nothing = function("takes_nothing", true, prototype(number, {}));
    takes_number = function("takes_number", true, prototype(number, {a, number}));
    takes_short = function("takes_short", true, prototype(number, {a, small}));
    gives_choice = function("gives_choice", true, prototype(enumeration, {a, number}));
    is_static = function("is_static", false, prototype(number, {a, number}));
    const auto takes_pair_of = [&](const char* name, std::uint32_t size) {
      const std::uint32_t pair = blob.structure("pair", size, {});
      return function(name, true, prototype(number, {a, blob.type(Kind::kPtr, "", 0, pair)}));
    };
    takes_pair = takes_pair_of("takes_pair", 8);
    takes_some_pair = takes_pair_of("takes_some_pair", 8);
    blob.decl_tag("arg:nonnull", takes_some_pair, 0);
    takes_long_pair = takes_pair_of("takes_long_pair", 16);
  }
  btf::Blob blob;
  std::uint32_t main, takes_nothing, takes_number, takes_short, gives_choice, is_static, takes_pair,
      takes_some_pair, takes_long_pair;
};

struct Program {
  ProgType type = ProgType::kSchedCls;
  Code code = {set(0, 0), kExit};
  std::vector<abi::FuncInfo> functions = {};
  long target = 0;
  std::uint32_t attach_btf_id = 0;
  AttachType attach_type{};
  std::uint32_t flags = 0;
};

class ProgramTargets : public World, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    World::SetUp();
    vm::set_jit_for_test(GetParam());
    const std::vector<std::byte> bytes = types_.blob.bytes();
    abi::Attr load{};
    load.btf_load.btf = address(bytes.data());
    load.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    btf_ = call(kBtfLoad, load);
    ASSERT_GE(btf_, 0);
  }
  void TearDown() override {
    vm::set_jit_for_test(true);
    World::TearDown();
  }
  long load(const Program& program) {
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(program.type);
    attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(program.attach_type);
    attr.prog_load.prog_flags = program.flags;
    attr.prog_load.attach_prog_fd = static_cast<std::uint32_t>(program.target);
    attr.prog_load.attach_btf_id = program.attach_btf_id;
    attr.prog_load.insns = address(program.code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(program.code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log_);
    attr.prog_load.log_size = sizeof log_;
    attr.prog_load.log_level = 2;
    if (!program.functions.empty()) {
      attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(btf_);
      attr.prog_load.func_info = address(program.functions.data());
      attr.prog_load.func_info_cnt = static_cast<std::uint32_t>(program.functions.size());
      attr.prog_load.func_info_rec_size = sizeof program.functions[0];
    }
    log_[0] = '\0';
    return call(kProgLoad, attr);
  }
  void refused(const Program& program, const char* why) {
    EXPECT_EQ(load(program), -EINVAL) << why;
    EXPECT_NE(std::string_view(log_).find(why), std::string_view::npos) << log_;
  }
  // main(ctx) { return takes_number(20) + is_static(3) }: the two add 1 and 2.
  long load_target() {
    const Code code{
        set(1, 20), call_function(5), move(6, 0),      set(1, 3), call_function(5), {0x0f, regs(0, 6), 0, 0},
        kExit,      move(0, 1),       {0x07, 0, 0, 1}, kExit,     move(0, 1),       {0x07, 0, 0, 2},
        kExit};
    return load(
        {.code = code, .functions = {{0, types_.main}, {7, types_.takes_number}, {10, types_.is_static}}});
  }
  Program extension(std::uint32_t type, long target, std::uint32_t replaced) const {
    return {.type = ProgType::kExt, .functions = {{0, type}}, .target = target, .attach_btf_id = replaced};
  }
  Program tracing(AttachType attach_type, long target, std::uint32_t traced) const {
    return {
        .type = ProgType::kTracing, .target = target, .attach_btf_id = traced, .attach_type = attach_type};
  }
  long open(long program) {
    abi::Attr attr{};
    attr.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(program);
    return call(kRawTracepointOpen, attr);
  }
  long link(long program, long target, std::uint32_t type) {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = static_cast<std::uint32_t>(target);
    attr.link_create.tracing.target_btf_id = type;
    return call(kLinkCreate, attr);
  }
  std::uint32_t run(long program) {
    std::byte packet[64] = {};
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = address(packet);
    attr.test.data_size_in = sizeof packet;
    EXPECT_EQ(call(kProgTestRun, &attr, sizeof attr), 0);
    return attr.test.retval;
  }
  void close(long fd) {
    runtime_->forget_fd(static_cast<int>(fd));
    ::close(static_cast<int>(fd));
  }

  Types types_;
  long btf_ = -1;
  char log_[1 << 14] = "";
};
INSTANTIATE_TEST_SUITE_P(Interpreter, ProgramTargets, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Jit, ProgramTargets, testing::Values(true));

TEST_P(ProgramTargets, are_named_by_their_btf) {
  const long target = load_target();
  ASSERT_GE(target, 0) << log_;
  refused(extension(types_.takes_number, target, 0), "Tracing programs must provide btf_id");
  refused(extension(types_.takes_number, target, 99), "attach_btf_id 99 is invalid");
  refused(extension(types_.takes_number, target, types_.takes_short), "Subprog takes_short doesn't exist");
  refused(extension(types_.takes_number, load({}), types_.takes_number),
          "Tracing program can only attach to another program annotated with BTF");
  EXPECT_EQ(load({.target = target, .attach_btf_id = types_.main}), -EINVAL);  // not of sched_cls
}

TEST_P(ProgramTargets, are_replaced_by_what_takes_and_gives_the_same) {
  const long target = load_target();
  const std::uint32_t wanted = types_.takes_number;
  Program without_btf = extension(wanted, target, wanted);
  without_btf.functions.clear();
  refused(without_btf, "Program extension requires BTF");
  refused(extension(types_.takes_nothing, target, wanted),
          "takes_nothing() has 0 args while takes_number() has 1 args");
  refused(extension(types_.takes_short, target, wanted),
          "arg0 in takes_short() has size 2 while takes_number() has 4");
  refused(extension(types_.gives_choice, target, wanted),
          "Return type ENUM of gives_choice() doesn't match type INT of takes_number()");
  refused(extension(types_.main, target, wanted), "arg0 in main() is PTR while takes_number() has INT");
  refused(extension(types_.is_static, target, wanted), "is_static() is not a global function");
  refused(extension(wanted, target, types_.is_static), "is_static() is not a global function");
  const long other_main = load({.functions = {{0, types_.takes_number}}});
  refused(extension(wanted, other_main, wanted), "Cannot replace static functions");
}

TEST_P(ProgramTargets, are_checked_by_the_rules_of_what_they_extend) {
  const long target = load_target();
  Program reads_context = extension(types_.main, target, types_.main);
  reads_context.code = {{0x61, regs(0, 1), 0, 0}, kExit};  // skb->len
  const long program = load(reads_context);
  ASSERT_GE(program, 0) << log_;
  EXPECT_NE(std::string_view(log_).find("Validating main() func#0..."), std::string_view::npos) << log_;
  const long there = open(program);
  ASSERT_GE(there, 0);
  EXPECT_EQ(run(target), 64u);
  close(there);
  EXPECT_EQ(run(target), 26u);
  EXPECT_EQ(load({.type = ProgType::kExt}), -EINVAL);
  // A program of cgroup_skb returns 0 or 1, and so does what extends it.
  const long of_cgroups = load({.type = ProgType::kCgroupSkb, .functions = {{0, types_.main}}});
  ASSERT_GE(of_cgroups, 0) << log_;
  Program returns = extension(types_.main, of_cgroups, types_.main);
  EXPECT_GE(load(returns), 0) << log_;
  returns.code = {set(0, 5), kExit};
  refused(returns, "At program exit the register R0 has smin=5 smax=5 should have been in [0, 1]");
  EXPECT_EQ(link(program, of_cgroups, types_.main), -EINVAL);  // it was checked for another type
}

TEST_P(ProgramTargets, are_not_attached_in_chains) {
  const long target = load_target();
  const std::uint32_t wanted = types_.takes_number;
  Program replacement = extension(wanted, target, wanted);
  replacement.code = {set(0, 100), kExit};
  const long first = load(replacement);
  ASSERT_GE(first, 0) << log_;
  refused(extension(wanted, first, wanted), "Cannot recursively attach");
  Program begins = tracing(AttachType::kTraceFentry, target, wanted);
  begins.functions = {{0, types_.main}};
  const long traces = load(begins);
  ASSERT_GE(traces, 0) << log_;
  refused(extension(types_.main, traces, types_.main), "Cannot replace static functions");
  Program traces_again = tracing(AttachType::kTraceFexit, traces, types_.main);
  traces_again.functions = {{0, types_.main}};
  const long second = load(traces_again);
  ASSERT_GE(second, 0) << log_;
  refused(tracing(AttachType::kTraceFexit, second, types_.main),
          "Cannot nest tracing program attach more than once");
  refused(tracing(AttachType::kModifyReturn, target, wanted), "can't modify return codes of BPF programs");
  refused(tracing(AttachType::kTraceRawTp, target, wanted),
          "Only FENTRY/FEXIT progs are attachable to another BPF prog");
  Program sleeps = tracing(AttachType::kTraceFentry, target, wanted);
  sleeps.flags = abi::prog_flag::kSleepable;
  refused(sleeps, "takes_number is not sleepable");
}

TEST_P(ProgramTargets, have_one_extension_or_many_that_trace) {
  const long target = load_target();
  const std::uint32_t wanted = types_.takes_number;
  Program replacement = extension(wanted, target, wanted);
  replacement.code = {move(0, 1), {0x67, 0, 0, 2}, kExit};  // 4 times the argument
  const long extends = load(replacement), traces = load(tracing(AttachType::kTraceFentry, target, wanted));
  ASSERT_GE(extends, 0) << log_;
  ASSERT_GE(traces, 0) << log_;
  EXPECT_EQ(run(target), 26u);
  const long there = open(extends);
  ASSERT_GE(there, 0);
  EXPECT_EQ(run(target), 85u);
  EXPECT_EQ(open(traces), -EBUSY);
  EXPECT_EQ(link(extends, target, wanted), -EBUSY);
  EXPECT_EQ(open(extends), -EINVAL);  // to what?
  EXPECT_EQ(link(extends, target, 0), -EINVAL);
  EXPECT_EQ(link(extends, target, types_.main), -EINVAL);
  close(there);
  EXPECT_EQ(run(target), 26u);
  const long tracing_link = open(traces);
  ASSERT_GE(tracing_link, 0);
  EXPECT_EQ(link(extends, target, wanted), -EBUSY);
  EXPECT_EQ(open(traces), -EINVAL);
  close(tracing_link);
  // Another target of the same kind.
  const long other = load_target(), over_there = link(extends, other, wanted);
  ASSERT_GE(over_there, 0);
  EXPECT_EQ(run(other), 85u);
  EXPECT_EQ(run(target), 26u);
}

TEST_P(ProgramTargets, stay_while_something_is_attached_and_are_made_ready_by_whoever_runs_them) {
  const long target = load_target();
  const std::uint32_t wanted = types_.takes_number;
  Program replacement = extension(wanted, target, wanted);
  replacement.code = {set(0, 50), kExit};
  const long extends = load(replacement), there = open(extends);
  ASSERT_GE(there, 0);
  close(extends);
  // As a process that has loaded neither.
  std::string why;
  auto other = object::Runtime::open(directory_, {}, &why);
  ASSERT_TRUE(other) << why;
  prepare(**other);
  abi::Attr attr{};
  {
    sync::CallEpoch epoch;
    const std::uint32_t id = (*runtime_->target_of_any_fd(static_cast<int>(target))).view->id();
    attr.id.prog_id = id;
  }
  const long fd = bpf(**other, caller_, static_cast<int>(kProgGetFdById), address(&attr), sizeof attr);
  ASSERT_GE(fd, 0);
  std::byte packet[64] = {};
  abi::Attr test{};
  test.test.prog_fd = static_cast<std::uint32_t>(fd);
  test.test.data_in = address(packet);
  test.test.data_size_in = sizeof packet;
  EXPECT_EQ(bpf(**other, caller_, static_cast<int>(kProgTestRun), address(&test), sizeof test), 0);
  EXPECT_EQ(test.test.retval, 55u);
  close(there);
  EXPECT_EQ(bpf(**other, caller_, static_cast<int>(kProgTestRun), address(&test), sizeof test), 0);
  EXPECT_EQ(test.test.retval, 26u);
  (*other)->forget_fd(static_cast<int>(fd));
  ::close(static_cast<int>(fd));
}

TEST_P(ProgramTargets, are_extended_by_what_takes_all_that_they_may_be_given) {
  // main(ctx) { struct pair p = {}; return f(&p) }, f(pair) { return 1 }
  const auto target_of = [this](std::uint32_t function) {
    return load({.code = {{0x7a, regs(10), -8, 0},
                          move(1, 10),
                          {0x07, regs(1), 0, -8},
                          call_function(1),
                          kExit,
                          set(0, 1),
                          kExit},
                 .functions = {{0, types_.main}, {5, function}}});
  };
  const long target = target_of(types_.takes_pair), other = target_of(types_.takes_some_pair);
  ASSERT_GE(target, 0) << log_;
  ASSERT_GE(other, 0) << log_;
  refused(extension(types_.takes_long_pair, target, types_.takes_pair),
          "arg0 cannot be all that takes_pair() may be given");
  refused(extension(types_.takes_some_pair, target, types_.takes_pair),
          "arg0 cannot be all that takes_pair() may be given");
  Program same = extension(types_.takes_pair, target, types_.takes_pair);
  same.code = {set(0, 2), kExit};
  const long extension = load(same);
  ASSERT_GE(extension, 0) << log_;
  const long attached = open(extension);
  ASSERT_GE(attached, 0);
  EXPECT_EQ(run(target), 2u);
  // What was loaded for one is attached to no other that may be given more.
  Program some = this->extension(types_.takes_some_pair, other, types_.takes_some_pair);
  const long narrow = load(some);
  ASSERT_GE(narrow, 0) << log_;
  close(attached);
  EXPECT_EQ(link(narrow, target, types_.takes_pair), -EINVAL);
}

TEST_P(ProgramTargets, may_throw_from_a_function_that_is_traced) {
  const auto kernel = helper::kernel_btf(*runtime_);
  if (!kernel) GTEST_SKIP() << "no BTF of a kernel";
  const auto bpf_throw = (*kernel)->find_by_name("bpf_throw", btf::Kind::kFunc);
  if (!bpf_throw) GTEST_SKIP() << "no bpf_throw";
  // main(ctx) { takes_number(33); return 1 }, takes_number(n) { throw n }
  const Code code{set(6, 7), set(1, 33), call_function(2),
                  set(0, 1), kExit,      {0x85, regs(0, 2), 0, static_cast<std::int32_t>(*bpf_throw)},
                  set(0, 0), kExit};
  const long target = load({.code = code, .functions = {{0, types_.main}, {5, types_.takes_number}}});
  ASSERT_GE(target, 0) << log_;
  EXPECT_EQ(run(target), 33u);
  const long counts[] = {create({.type = abi::MapType::kArray, .max_entries = 1}),
                         create({.type = abi::MapType::kArray, .max_entries = 1})};
  const auto counter = [](long map) {
    return Code{{0x18, regs(1, 2), 0, static_cast<std::int32_t>(map)},
                {0, 0, 0, 0},
                set(2, 1),
                {0xdb, regs(1, 2), 0, 0},
                set(0, 0),
                kExit};
  };
  Program begins = tracing(AttachType::kTraceFentry, target, types_.takes_number),
          ends = tracing(AttachType::kTraceFexit, target, types_.takes_number);
  begins.code = counter(counts[0]);
  ends.code = counter(counts[1]);
  ASSERT_GE(open(load(begins)), 0) << log_;
  ASSERT_GE(open(load(ends)), 0) << log_;
  EXPECT_EQ(run(target), 33u);
  EXPECT_EQ(run(target), 33u);
  const std::uint32_t key = 0;
  std::uint64_t values[2] = {};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(element(kMapLookupElem, counts[i], &key, &values[i]), 0);
  EXPECT_EQ(values[0], 2u);
  EXPECT_EQ(values[1], 0u);  // it did not come to its end
}

TEST_P(ProgramTargets, of_static_functions_give_what_the_calls_gave) {
  // main(ctx) { r2 = 9; is_static(ctx, 9) }, though by its type that takes a number: nothing is known of it.
  const Code code{set(2, 9), call_function(1), kExit, move(0, 2), kExit};
  const long target = load({.code = code, .functions = {{0, types_.main}, {3, types_.is_static}}});
  ASSERT_GE(target, 0) << log_;
  refused(extension(types_.takes_number, target, types_.is_static), "Cannot replace static functions");
  const long sum = create({.type = abi::MapType::kArray, .max_entries = 1});
  Program ends = tracing(AttachType::kTraceFexit, target, types_.is_static);
  ends.code = {load64(3, 1, 8),   // the second argument
               load64(4, 1, 40),  // the result
               {0x0f, regs(3, 4), 0, 0},
               {0x18, regs(1, 2), 0, static_cast<std::int32_t>(sum)},
               {0, 0, 0, 0},
               {0x7b, regs(1, 3), 0, 0},
               set(0, 0),
               kExit};
  const long program = load(ends);
  ASSERT_GE(program, 0) << log_;
  ASSERT_GE(open(program), 0);
  EXPECT_EQ(run(target), 9u);
  const std::uint32_t key = 0;
  std::uint64_t value = 0;
  EXPECT_EQ(element(kMapLookupElem, sum, &key, &value), 0);
  EXPECT_EQ(value, 18u);
}

}  // namespace
}  // namespace portolan::syscall
