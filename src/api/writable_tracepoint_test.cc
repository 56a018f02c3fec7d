// SPDX-License-Identifier: Apache-2.0
// Tracepoints with memory that programs may write.
#include "api/hook_world_for_test.h"

namespace portolan::hook_test {
namespace {

class WritableTracepoints : public Hooks {
 protected:
  // R2 = the buffer; 1 is added to its word at `offset`.
  long load_writer(std::int16_t offset, ProgType type = ProgType::kRawTracepointWritable) {
    return client_->load(type, {{0x79, regs(2, 1), 0, 0},
                                {0x79, regs(3, 2), offset, 0},
                                {0x07, regs(3), 0, 1},
                                {0x7b, regs(2, 3), offset, 0},
                                set(0, 0),
                                kExit});
  }
};

TEST_F(WritableTracepoints, programs_change_what_they_are_shown) {
  auto hook = Hook::writable_raw_tracepoint(*runtime_, "request", 16);
  ASSERT_TRUE(hook) << hook.error().message();
  ASSERT_GE(client_->open_tracepoint(load_writer(8), "request"), 0);
  std::uint64_t words[2] = {5, 6};
  hook->run(std::as_writable_bytes(std::span(words)));
  EXPECT_EQ(words[0], 5u);
  EXPECT_EQ(words[1], 7u);
}

TEST_F(WritableTracepoints, a_program_that_reaches_further_is_not_attached) {
  auto hook = Hook::writable_raw_tracepoint(*runtime_, "request", 15);
  ASSERT_TRUE(hook);
  const long program = load_writer(8);
  ASSERT_GE(program, 0);
  EXPECT_EQ(client_->open_tracepoint(program, "request"), -EINVAL);
  auto plain = Hook::raw_tracepoint(*runtime_, "reply");
  ASSERT_TRUE(plain);
  EXPECT_EQ(client_->open_tracepoint(program, "reply"), -EINVAL);
  const long idle = load_adder(ProgType::kRawTracepointWritable, 1);
  ASSERT_GE(client_->open_tracepoint(idle, "reply"), 0);  // it does not touch what is not there
  plain->run(1);
  EXPECT_EQ(sum(), 1u);
}

TEST_F(WritableTracepoints, nothing_runs_on_a_buffer_that_is_too_short) {
  auto hook = Hook::writable_raw_tracepoint(*runtime_, "request", 16);
  ASSERT_TRUE(hook);
  ASSERT_GE(client_->open_tracepoint(load_writer(8), "request"), 0);
  std::uint64_t words[2] = {5, 6};
  hook->run(std::as_writable_bytes(std::span(words, 1)));
  EXPECT_EQ(words[1], 6u);
}

TEST_F(WritableTracepoints, all_who_declare_one_agree_on_its_size) {
  auto hook = Hook::writable_raw_tracepoint(*runtime_, "request", 16);
  ASSERT_TRUE(hook);
  EXPECT_FALSE(Hook::writable_raw_tracepoint(*runtime_, "request", 17));
  EXPECT_FALSE(Hook::raw_tracepoint(*runtime_, "request"));
  EXPECT_TRUE(Hook::writable_raw_tracepoint(*runtime_, "request", 16));
}

TEST_F(WritableTracepoints, programs_that_only_look_are_given_the_address) {
  auto hook = Hook::writable_raw_tracepoint(*runtime_, "request", 8);
  ASSERT_TRUE(hook);
  EXPECT_LT(load_writer(0, ProgType::kRawTracepoint), 0);
  // sum += the second argument
  const long program = client_->load(ProgType::kRawTracepoint, {{0x79, regs(2, 1), 8, 0},
                                                                {0x18, regs(1, 2), 0, sum_->fd()},
                                                                {0, 0, 0, 0},
                                                                {0xdb, regs(1, 2), 0, 0},
                                                                set(0, 0),
                                                                kExit});
  ASSERT_GE(client_->open_tracepoint(program, "request"), 0);
  std::uint64_t word = 0;
  hook->run(std::as_writable_bytes(std::span(&word, 1)), 77);
  EXPECT_EQ(sum(), 77u);
}

}  // namespace
}  // namespace portolan::hook_test
