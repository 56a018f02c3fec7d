// SPDX-License-Identifier: Apache-2.0
// XDP programs on live frames: what the kernel answers, and what programs find in each frame. None lets a
// frame go on, for on the kernel it would.
#include <fmt/format.h>

#include "abi/context.h"
#include "abi/prog_flags.h"
#include "both.h"
#include "bytecode.h"

namespace portolan::isa {
namespace {

constexpr std::uint32_t kAborted = 0, kDrop = 1, kPass = 2, kTx = 3, kRedirect = 4, kNoVerdict = 77;
constexpr std::uint32_t kMostRuns = 2000;
struct Run {
  std::uint32_t was_there, length;
  friend bool operator==(const Run&, const Run&) = default;
};
struct Value {
  std::uint64_t count;
  Run runs[kMostRuns];
};

struct Call {
  std::string what;
  std::vector<std::uint8_t> data = std::vector<std::uint8_t>(64);
  std::uint32_t metadata = 0;
  bool has_context = false, takes_data = false, takes_context = false;
  abi::TestAttr attr{};
};
struct Seen {
  long result = 0;
  std::uint32_t retval = 0, data_size_out = 0, data_out = 0;
  Value value{};
};

// Each run finds a number in its frame, leaves its own there, and moves the packet's ends.
std::vector<abi::Insn> program(int map, std::uint32_t verdict) {
  constexpr std::int32_t kAt = 20;
  constexpr std::uint8_t kGreater = 0x2d, kAtLeast = 0x35;
  Bytecode code;
  const int out = code.new_label();
  code.move(6, 1).map_value(7, map).load(code.kDouble, 8, 7, 0).jump(kAtLeast, 8, kMostRuns, out);
  code.move(1, 8).add(1, 1).store(code.kDouble, 7, 0, 1);
  code.load(code.kWord, 2, 6, 0).load(code.kWord, 3, 6, 4);
  code.move(4, 3).raw(0x1f, 4, 2, 0, 0).move(1, 8).raw(0x67, 1, 0, 0, 3).raw(0x0f, 1, 7, 0, 0);
  code.store(code.kWord, 1, 12, 4);
  code.move(5, 2).add(5, kAt + 4).jump_to(kGreater, 5, 3, out);
  code.load(code.kWord, 4, 2, kAt).store(code.kWord, 1, 8, 4);
  code.move(1, 8).add(1, 1).store(code.kWord, 2, kAt, 1);
  code.move(1, 6).set(2, -8).call(44);
  code.move(1, 6).set(2, 5).call(65);
  code.here(out).set(0, static_cast<std::int32_t>(verdict)).exit();
  return insns_of(code);
}

class LiveFramesOnBoth : public WithBoth {
 protected:
  static Seen run(Side& side, const Call& call, std::uint32_t verdict) {
    Seen seen;
    const long map = side.make_array(sizeof(Value));
    const long fd = side.load(abi::ProgType::kXdp, program(static_cast<int>(map), verdict));
    EXPECT_GE(fd, 0) << side.name();
    std::vector<std::uint8_t> out(8192, 0xaa);
    abi::XdpMd context{};
    context.data = call.metadata;
    context.data_end = static_cast<std::uint32_t>(call.data.size());
    abi::Attr attr{};
    attr.test = call.attr;
    attr.test.prog_fd = static_cast<std::uint32_t>(fd);
    attr.test.flags |= abi::test_flag::kXdpLiveFrames;
    attr.test.data_in = Side::address(call.data.data());
    attr.test.data_size_in = static_cast<std::uint32_t>(call.data.size());
    if (call.takes_data) attr.test.data_out = Side::address(out.data());
    if (call.has_context) {
      attr.test.ctx_in = Side::address(&context);
      attr.test.ctx_size_in = sizeof context;
    }
    if (call.takes_context) {
      attr.test.ctx_out = Side::address(&context);
      attr.test.ctx_size_out = sizeof context;
    }
    seen.result = side.bpf(abi::Command::kProgTestRun, attr);
    seen.retval = attr.test.retval;
    seen.data_size_out = attr.test.data_size_out;
    for (const std::uint8_t byte : out) seen.data_out = seen.data_out * 31 + byte;
    EXPECT_EQ(0, side.lookup(map, &seen.value));
    (void)sys::close(static_cast<int>(fd));
    (void)sys::close(static_cast<int>(map));
    return seen;
  }

  void compare(const Call& call, std::uint32_t verdict = kDrop) {
    if (IsSkipped()) return;
    const Seen kernel = run(kernel_, call, verdict);
    for (Ours* side : {&ours_, &interpreter_}) {
      SCOPED_TRACE(fmt::format("{}: {}", side->name(), call.what));
      const Seen here = run(*side, call, verdict);
      EXPECT_EQ(here.result, kernel.result);
      EXPECT_EQ(here.retval, kernel.retval);
      EXPECT_EQ(here.data_size_out, kernel.data_size_out);
      EXPECT_EQ(here.data_out, kernel.data_out);
      ASSERT_EQ(here.value.count, kernel.value.count);
      for (std::uint64_t i = 0; i < kernel.value.count; ++i) {
        ASSERT_EQ(here.value.runs[i].was_there, kernel.value.runs[i].was_there) << "run " << i;
        ASSERT_EQ(here.value.runs[i].length, kernel.value.runs[i].length) << "run " << i;
      }
    }
  }
};

TEST_F(LiveFramesOnBoth, calls) {
  const auto with = [&](const char* what, auto&& change) {
    Call call;
    call.what = what;
    change(call);
    compare(call);
  };
  with("plain", [](Call&) {});
  with("data back", [](Call& call) { call.takes_data = true; });
  with("little room", [](Call& call) {
    call.takes_data = true;
    call.attr.data_size_out = 10;
  });
  with("a context", [](Call& call) { call.has_context = true; });
  with("metadata", [](Call& call) {
    call.has_context = true;
    call.metadata = 8;
  });
  with("data back with a context", [](Call& call) { call.has_context = call.takes_data = true; });
  with("a context back", [](Call& call) { call.takes_context = true; });
  for (const std::uint32_t batch : {1u, 64u, 255u, 256u, 257u, 0xffff'ffffu})
    with("batch size", [&](Call& call) { call.attr.batch_size = batch; });
  with("another flag", [](Call& call) { call.attr.flags = 1; });
  with("cpu", [](Call& call) { call.attr.cpu = 1; });
  for (const std::size_t size : {0u, 13u, 14u, 3407u, 3408u, 3409u, 3520u, 4000u, 9000u})
    for (const std::uint32_t metadata : {0u, 12u, 220u})
      for (const bool has_context : {false, true})
        with(fmt::format("{} bytes, {} of metadata", size, metadata).c_str(), [&](Call& call) {
          call.data.resize(size);
          call.metadata = metadata;
          call.has_context = has_context;
          call.attr.repeat = 3;
        });
}

TEST_F(LiveFramesOnBoth, frames_come_again_as_they_were_left) {
  for (const std::uint32_t verdict : {kAborted, kDrop, kNoVerdict})
    for (const std::uint32_t batch : {0u, 1u, 8u, 33u, 64u, 100u, 256u})
      for (const std::uint32_t repeat : {0u, 1u, 63u, 200u, 1000u}) {
        Call call;
        call.what = fmt::format("{} times, {} at once, verdict {}", repeat, batch, verdict);
        call.attr.repeat = repeat;
        call.attr.batch_size = batch;
        compare(call, verdict);
      }
}

// Only here: there is nowhere for them to go.
TEST_F(LiveFramesOnBoth, frames_that_go_on_come_again_after_their_batch) {
  constexpr std::uint32_t kBatch = 80;
  for (const std::uint32_t verdict : {kPass, kTx, kRedirect}) {
    Call call;
    call.attr.repeat = 1000;
    call.attr.batch_size = kBatch;
    const Seen here = run(ours_, call, verdict);
    EXPECT_EQ(0, here.result);
    EXPECT_EQ(0u, here.retval);
    ASSERT_EQ(1000u, here.value.count);
    for (std::uint32_t i = 0; i < 1000; ++i)
      ASSERT_LE(here.value.runs[i].was_there, i / kBatch * kBatch) << i;
    EXPECT_NE(0u, here.value.runs[999].was_there);
  }
}

}  // namespace
}  // namespace portolan::isa
