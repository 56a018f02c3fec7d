// SPDX-License-Identifier: Apache-2.0
// STACK_TRACE: user stacks of raw tracepoint programs, which are run by number.
#include "cases.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kRawTracepoint = 17;
constexpr std::int32_t kGetStackId = 27, kGetStack = 67;
constexpr std::int32_t kUser = 1 << 8, kFast = 1 << 9, kReuse = 1 << 10, kBuildId = 1 << 11;

class StackTrace : public Case {
 protected:
  // R0, which BPF_PROG_TEST_RUN of a raw tracepoint gives back.
  long run_raw(int program) {
    std::uint64_t arguments[1] = {0};
    Attr attr;
    attr.set(test::kProgFd, static_cast<std::uint64_t>(program));
    attr.set(test::kCtxSizeIn, sizeof arguments)
        .set(test::kCtxIn, reinterpret_cast<std::uint64_t>(arguments));
    const long done = call_back(kProgTestRun, attr);
    return done != 0 ? done : static_cast<std::int32_t>(attr.get(test::kRetval));
  }
  long stack_id(int fd, std::int32_t flags) {
    Bytecode code;
    code.map(2, fd).set(3, flags).call(kGetStackId).exit();
    return run_raw(program(kRawTracepoint, code.finish()));
  }
  // bpf_get_stack into 64 bytes of stack that were 0x77; R0 is the result, or what `and_then` makes of it.
  long stack(std::int32_t size, std::int32_t flags, const std::function<void(Bytecode&)>& and_then = {}) {
    Bytecode code;
    for (int at = -64; at < 0; at += 8) code.store_imm(Bytecode::kDouble, 10, at, 0x77);
    code.move(2, 10).add(2, -64).set(3, size).set(4, flags).call(kGetStack);
    if (and_then) and_then(code);
    code.exit();
    return run_raw(program(kRawTracepoint, code.finish()));
  }
};
ON_BOTH_BACKENDS(StackTrace);

TEST_P(StackTrace, what_may_be_created) {
  const struct {
    MapSpec spec;
    long expected;
  } rows[] = {{{kStackTrace, 4, 8, 1, 0}, 0},
              {{kStackTrace, 4, 127 * 8, 8, 0}, 0},
              {{kStackTrace, 4, 128 * 8, 8, 0}, -EINVAL},
              {{kStackTrace, 4, 12, 8, 0}, -EINVAL},
              {{kStackTrace, 4, 0, 8, 0}, -EINVAL},
              {{kStackTrace, 8, 8, 8, 0}, -EINVAL},
              {{kStackTrace, 4, 8, 0, 0}, -EINVAL},
              {{kStackTrace, 4, 8, 0x80000001, 0}, -E2BIG},
              {{kStackTrace, 4, 32, 8, kStackBuildId}, 0},
              {{kStackTrace, 4, 127 * 32, 8, kStackBuildId}, 0},
              {{kStackTrace, 4, 128 * 32, 8, kStackBuildId}, -EINVAL},
              {{kStackTrace, 4, 8, 8, kStackBuildId}, -EINVAL},
              {{kStackTrace, 4, 8, 8, kReadOnly}, 0},
              {{kStackTrace, 4, 8, 8, kReadOnlyProg}, -EINVAL},
              {{kStackTrace, 4, 8, 8, kNoPrealloc}, -EINVAL},
              {{kStackTrace, 4, 8, 8, kZeroSeed}, -EINVAL}};
  for (const auto& row : rows) EXPECT_ANSWER(row.expected, std::min(create(row.spec), 0l));
}

TEST_P(StackTrace, a_trace_has_a_number_until_it_is_deleted) {
  const int fd = map({kStackTrace, 4, 10 * 8, 64, 0});
  Data value = repeated(80, 0xcc), following;
  following.resize(4);
  EXPECT_ANSWER(-ENOENT, lookup(fd, number32(0), &value));
  EXPECT_ANSWER(-ENOENT, next(fd, nullptr, &following));
  EXPECT_ANSWER(-EINVAL, update(fd, number32(0), value));
  const long id = stack_id(fd, kUser);
  ASSERT_GE(id, 0);
  ASSERT_LT(id, 64);
  const Data key = number32(static_cast<std::uint32_t>(id));
  EXPECT_ANSWER(0, lookup(fd, key, &value));
  EXPECT_NE(0u, load_unaligned<std::uint64_t>(value.data()));
  EXPECT_ANSWER(0, next(fd, nullptr, &following));
  EXPECT_EQ(key, following);
  EXPECT_ANSWER(-ENOENT, next(fd, &key, &following));
  const Data absent = number32(static_cast<std::uint32_t>(id + 1) % 64), far = number32(1000);
  EXPECT_ANSWER(0, next(fd, &absent, &following));  // from the beginning
  EXPECT_ANSWER(-ENOENT, erase(fd, absent));
  EXPECT_ANSWER(-E2BIG, erase(fd, far));
  EXPECT_ANSWER(-ENOENT, lookup(fd, far, &value));
  EXPECT_ANSWER(0, erase(fd, key));
  EXPECT_ANSWER(-ENOENT, lookup(fd, key, &value));
  EXPECT_ANSWER(-ENOENT, erase(fd, key));
}

TEST_P(StackTrace, flags_of_get_stackid) {
  const int fd = map({kStackTrace, 4, 20 * 8, 64, 0});
  EXPECT_ANSWER(-EINVAL, stack_id(fd, kUser | 1 << 11));
  EXPECT_ANSWER(-EINVAL, stack_id(fd, kUser | 1 << 20));
  EXPECT_ANSWER(-EFAULT, stack_id(fd, kUser | 255));
  EXPECT_ANSWER(0, std::min(stack_id(fd, kUser | kFast), 0l));
  EXPECT_ANSWER(0, std::min(stack_id(fd, kUser | kFast | kReuse), 0l));
}

// One bucket: what is another trace there finds it taken.
TEST_P(StackTrace, another_trace_in_the_same_bucket) {
  const int fd = map({kStackTrace, 4, 20 * 8, 1, 0});
  EXPECT_ANSWER(0, stack_id(fd, kUser));
  EXPECT_ANSWER(-EEXIST, stack_id(fd, kUser | 1));  // without its first frame it is another
  Data before(160), after(160);
  EXPECT_ANSWER(0, lookup(fd, number32(0), &before));
  const int more = map({kStackTrace, 4, 20 * 8, 2, 0});
  EXPECT_ANSWER(0, std::min(stack_id(more, kUser), 0l));
  EXPECT_ANSWER(0, std::min(stack_id(more, kUser | 1 | kReuse), 0l));
  EXPECT_ANSWER(0, lookup(fd, number32(0), &after));
  EXPECT_EQ(before, after);
}

TEST_P(StackTrace, build_ids_instead_of_addresses) {
  const int fd = map({kStackTrace, 4, 10 * 32, 64, kStackBuildId});
  const long id = stack_id(fd, kUser);
  ASSERT_GE(id, 0);
  Data value(320);
  EXPECT_ANSWER(0, lookup(fd, number32(static_cast<std::uint32_t>(id)), &value));
  const auto status = load_unaligned<std::int32_t>(value.data());
  EXPECT_TRUE(status == 1 || status == 2) << status;
  EXPECT_NE(0u, load_unaligned<std::uint64_t>(value.data() + 24));
}

// They are found out in a free element, before they are compared.
TEST_P(StackTrace, build_ids_need_room_even_where_nothing_new_is_put_in) {
  const int fd = map({kStackTrace, 4, 10 * 32, 1, kStackBuildId});
  const struct {
    std::int32_t flags;
    long expected;
  } rows[] = {{kUser, 0}, {kUser, -ENOMEM}, {kUser | 1, -ENOMEM}, {kUser | kFast, 0}};
  for (const auto& row : rows) EXPECT_ANSWER(row.expected, stack_id(fd, row.flags));  // of one place
}

TEST_P(StackTrace, get_stack) {
  EXPECT_ANSWER(8, stack(8, kUser));
  EXPECT_ANSWER(0, stack(8, kUser | 1) < 0 ? -1 : 0);
  EXPECT_ANSWER(-EINVAL, stack(12, kUser));
  EXPECT_ANSWER(-EINVAL, stack(8, kUser | kFast));
  EXPECT_ANSWER(-EINVAL, stack(8, kUser | kReuse));
  EXPECT_ANSWER(-EINVAL, stack(8, kBuildId));
  EXPECT_ANSWER(-EFAULT, stack(64, kUser | 255));
  EXPECT_ANSWER(32, stack(32, kUser | kBuildId));
  EXPECT_ANSWER(-EINVAL, stack(40, kUser | kBuildId));
  // What is wrong leaves zeros, not what was there.
  EXPECT_ANSWER(0, stack(64, kUser | kFast, [](Bytecode& code) { code.load(Bytecode::kDouble, 0, 10, -8); }));
  EXPECT_ANSWER(0, stack(64, kUser | 255, [](Bytecode& code) { code.load(Bytecode::kDouble, 0, 10, -64); }));
  // And only in as much as was given.
  EXPECT_ANSWER(0x77, stack(8, kUser, [](Bytecode& code) { code.load(Bytecode::kDouble, 0, 10, -8); }));
}

TEST_P(StackTrace, goes_with_no_other_helper) {
  const int fd = map({kStackTrace, 4, 8, 8, 0});
  Bytecode lookup;
  lookup.store_imm(Bytecode::kWord, 10, -4, 0).map(1, fd).move(2, 10).add(2, -4).call(1).set(0, 0).exit();
  EXPECT_ANSWER(-EINVAL, load(kRawTracepoint, lookup.finish()));
  const int hash = map({kHash, 4, 8, 8, 0});
  Bytecode stack_id;
  stack_id.map(2, hash).set(3, kUser).call(kGetStackId).exit();
  EXPECT_ANSWER(-EINVAL, load(kRawTracepoint, stack_id.finish()));
}

}  // namespace
}  // namespace portolan::conformance
