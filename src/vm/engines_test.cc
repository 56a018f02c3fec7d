// SPDX-License-Identifier: Apache-2.0
#include "vm/interpreter.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "base/fault_copy.h"
#include "base/sys.h"
#include "helper/packet.h"
#include "vm/runtime_for_test.h"

namespace portolan::vm {
namespace {

using abi::Insn;
using Insns = std::vector<Insn>;

constexpr Insn kExit{0x95, 0, 0, 0};
constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }
constexpr Insn move(unsigned to, unsigned from) { return {0xbf, regs(to, from), 0, 0}; }

// The interpreter, or machine code.
class Engines : public WithRuntime, public testing::WithParamInterface<bool> {
 protected:
  void make(Insns insns, std::vector<verifier::Subprogram> subprograms = {{0, 512, ""}},
            std::vector<verifier::InsnNotes> notes = {}) {
    auto made = Executable::for_test(
        {abi::ProgType::kSyscall, std::move(insns), std::move(notes), {}, {}, std::move(subprograms)},
        native_handlers());
    ASSERT_TRUE(made) << made.error().value;
    executable_ = std::move(*made);
    if (GetParam()) {
      ASSERT_TRUE(executable_->compile());
    }
  }
  std::uint64_t run(void* context = nullptr) {
    helper::Run state = new_run(context);
    if (GetParam()) return jit::NativeRun(state).run(*executable_->native());
    return Execution<NativeMemory>(*executable_, state, {}).run();
  }
  std::uint64_t result_of(Insns insns, void* context = nullptr) {
    make(std::move(insns));
    return run(context);
  }
  std::unique_ptr<Executable> executable_;
};
INSTANTIATE_TEST_SUITE_P(Interpreter, Engines, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Jit, Engines, testing::Values(true));
using Interpreter = WithRuntime;

TEST_P(Engines, divides_as_the_instruction_set_says) {
  struct {
    std::uint8_t code;
    std::int16_t off;
    std::int32_t a, b;
    std::uint64_t result;
  } const rows[] = {
      {0x3f, 0, 7, 0, 0},  // by zero: 0
      {0x9f, 0, 7, 0, 7},  // the remainder is what there was
      {0x3f, 1, -7, 2, static_cast<std::uint64_t>(-3)},
      {0x9f, 1, -7, 2, static_cast<std::uint64_t>(-1)},
      {0x3c, 1, INT32_MIN, -1, 0x80000000u},
      {0x9c, 1, INT32_MIN, -1, 0},
      {0x9c, 0, -1, 0, 0xffffffffu},
  };
  for (const auto& row : rows)
    EXPECT_EQ(result_of({set(0, row.a), set(1, row.b), {row.code, regs(0, 1), row.off, 0}, kExit}),
              row.result);
}

TEST_P(Engines, a_called_function_has_a_frame_of_zeros_and_gives_r6_to_r10_back) {
  // r6 = 5; *(r10-8) = 9; call f; r0 += r6; r0 += *(r10-8); exit; f: r6 = 100; r0 = *(r10-8); exit
  make({set(6, 5),
        {0x7a, regs(10), -8, 9},
        {0x85, regs(0, 1), 0, 4},
        {0x0f, regs(0, 6), 0, 0},
        {0x79, regs(1, 10), -8, 0},
        {0x0f, regs(0, 1), 0, 0},
        kExit,
        set(6, 100),
        {0x79, regs(0, 10), -8, 0},
        {0x7a, regs(10), -8, 77},
        kExit},
       {{0, 8, ""}, {7, 8, ""}});
  EXPECT_EQ(run(), 14u);
  EXPECT_EQ(run(), 14u);
}

TEST_P(Engines, may_goto_falls_through_eight_mi_times_in_each_frame) {
  // r0 = 0; r0 += 1; may_goto +1; goto -3; exit
  EXPECT_EQ(result_of({set(0, 0), {0x07, regs(0), 0, 1}, {0xe5, 0, 1, 0}, {0x05, 0, -3, 0}, kExit}),
            kMaxLoops + 1u);
}

TEST_P(Engines, atomic_operations_of_four_bytes_leave_the_other_four_alone) {
  std::uint64_t word = 0xffffffff'ffffffff;
  EXPECT_EQ(
      result_of(
          {set(2, 1), {0xc3, regs(1, 2), 0, isa::atomic::kAdd | isa::atomic::kFetch}, move(0, 2), kExit},
          &word),
      0xffffffffu);
  EXPECT_EQ(word, 0xffffffff'00000000u);
  // compare and exchange gives back what was there, and stores only what was expected
  EXPECT_EQ(
      result_of({set(0, 3), set(2, 7), {0xdb, regs(1, 2), 0, isa::atomic::kCompareExchange}, kExit}, &word),
      0xffffffff'00000000u);
  EXPECT_EQ(word, 0xffffffff'00000000u);
  word = 3;
  EXPECT_EQ(
      result_of({set(0, 3), set(2, 7), {0xdb, regs(1, 2), 0, isa::atomic::kCompareExchange}, kExit}, &word),
      3u);
  EXPECT_EQ(word, 7u);
}

TEST_P(Engines, packet_loads_beyond_the_end_leave_with_zero) {
  std::byte bytes[16];
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<std::byte>(i + 1);
  helper::SkBuff skb{};
  skb.head = skb.data = bytes;
  skb.end = skb.data_end = bytes + 16;
  skb.network_header = bytes + 14;
  skb.mac_header = bytes;
  const auto load_at = [&](std::uint8_t code, std::int32_t at) {
    return result_of({move(6, 1), set(0, 1), set(2, 3), {code, regs(0, 2), 0, at}, kExit}, &skb);
  };
  EXPECT_EQ(load_at(0x28, 1), 0x0203u);
  EXPECT_EQ(load_at(0x20, 12), 0x0d0e0f10u);
  EXPECT_EQ(load_at(0x20, 13), 0u);
  EXPECT_EQ(load_at(0x50, 2), 6u);               // indirect: r2 + 2
  EXPECT_EQ(load_at(0x50, -4), 0u);              // before the packet
  EXPECT_EQ(load_at(0x28, -0x100000), 0x0f10u);  // from the network header
  EXPECT_EQ(load_at(0x28, -0x200000 + 4), 0x0506u);
}

TEST_P(Engines, pages_that_are_gone_read_as_zeros_and_swallow_what_is_stored) {
  install_fault_handler();
  void* const page = *sys::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::vector<verifier::InsnNotes> notes(6, verifier::InsnNotes{true});
  make({set(0, 7),
        {0x7a, regs(1), 0, 1},
        set(2, 9),
        {0xdb, regs(1, 2), 0, isa::atomic::kExchange},
        {0x79, regs(0, 1), 0, 0},
        kExit},
       {{0, 0, ""}}, notes);
  EXPECT_EQ(run(page), 0u);
  (void)sys::munmap(page, 4096);
}

TEST_P(Engines, a_callback_runs_one_frame_deeper_and_sees_its_callers_stack) {
  // f: *(u64 *)(r1 + 0) += r2; r0 = 1
  make({{0x7a, regs(10), -8, 40}, set(0, 0), kExit, {0xdb, regs(1, 2), 0, 0}, set(0, 1), kExit},
       {{0, 8, ""}, {3, 0, ""}});
  helper::Run state = new_run(nullptr);
  Execution<NativeMemory> interpreted(*executable_, state, {});
  jit::NativeRun native(state);
  map::ProgramInvoker& program = GetParam() ? static_cast<map::ProgramInvoker&>(native) : interpreted;
  const std::uint64_t function =
      GetParam() ? reinterpret_cast<std::uintptr_t>(executable_->native()->function(1)) : 4;
  std::uint64_t sum = 40;
  EXPECT_EQ(program.call_back(function, reinterpret_cast<std::uintptr_t>(&sum), 2, 0, 0, 0), 1u);
  EXPECT_EQ(sum, 42u);
}

TEST(Jit, clears_the_stack_only_of_functions_that_may_read_what_they_have_not_written) {
  const auto bytes_of_code = [](bool reads_unwritten) {
    verifier::Subprogram main{0, 512, ""};
    main.reads_unwritten_stack = reads_unwritten;
    auto made = Executable::for_test({abi::ProgType::kSyscall, {set(0, 0), kExit}, {}, {}, {}, {main}},
                                     native_handlers());
    EXPECT_TRUE(made && (*made)->compile());
    return (*made)->native()->bytes().size();
  };
  EXPECT_LT(bytes_of_code(false) + 200, bytes_of_code(true));
}

TEST_P(Engines, eight_functions_have_512_bytes_each) {
  // Each writes all of its stack, and adds what its ends hold after the call to what the next one returns.
  constexpr int kFunctions = 8;
  Insns insns;
  std::vector<verifier::Subprogram> subprograms;
  for (int i = 0; i < kFunctions; ++i) {
    subprograms.push_back({static_cast<std::uint32_t>(insns.size()), 512, ""});
    for (std::int16_t at = -512; at < 0; at = static_cast<std::int16_t>(at + 8))
      insns.push_back({0x7a, regs(10), at, 1 << i});
    const Insn call{0x85, 0x10, 0, 5};  // of the function that follows
    const bool is_last = i + 1 == kFunctions;
    const Insn rest[] = {is_last ? set(0, 0) : call, {0x79, regs(1, 10), -512, 0}, {0x0f, regs(0, 1), 0, 0},
                         {0x79, regs(1, 10), -8, 0}, {0x0f, regs(0, 1), 0, 0},     kExit};
    insns.insert(insns.end(), std::begin(rest), std::end(rest));
  }
  make(insns, subprograms);
  EXPECT_EQ(run(), 2u * 255);
}

TEST_P(Engines, a_loop_calls_until_it_is_told_to_stop_and_gives_r6_to_r9_back) {
  struct {
    std::uint32_t count;
    std::int32_t flags;
    std::int64_t result;
    std::uint64_t sum;
  } const rows[] = {{10, 0, 6, 15}, {4, 0, 4, 6},       {1, 0, 1, 0},
                    {0, 0, 0, 0},   {4, 1, -EINVAL, 0}, {kMaxLoops + 1, 0, -E2BIG, 0},
                    {6, 0, 6, 15}};
  for (const auto& row : rows) {
    // r6 = r1; r9 = 7; r0 = bpf_loop(count, f, r6, flags); *(r6 + 8) = r9; exit
    // f: *r2 += r1; r6 = r9 = 0; r0 = r1 == 5; exit
    make({move(6, 1),
          set(9, 7),
          set(1, static_cast<std::int32_t>(row.count)),
          {0x18, regs(2, 4), 0, 6},
          {},
          move(3, 6),
          set(4, row.flags),
          {0x85, 0, 0, 181},
          {0x7b, regs(6, 9), 8, 0},
          kExit,
          {0xdb, regs(2, 1), 0, 0},
          set(6, 0),
          set(9, 0),
          set(0, 1),
          {0x15, regs(1), 1, 5},
          set(0, 0),
          kExit},
         {{0, 0, ""}, {10, 0, ""}});
    std::uint64_t memory[2] = {};
    EXPECT_EQ(run(memory), static_cast<std::uint64_t>(row.result));
    EXPECT_EQ(memory[0], row.sum);
    EXPECT_EQ(memory[1], 7u);
  }
}

TEST_F(Interpreter, blinded_code_does_not_hold_the_constants_of_the_program) {
  const std::array<std::uint8_t, 4> constant = {0x78, 0x56, 0x34, 0x12};
  for (const std::uint64_t blinding : {0, 77}) {
    auto made = Executable::for_test({abi::ProgType::kSyscall,
                                      {set(0, 0x12345678), {0x07, regs(0), 0, 0x12345678}, kExit},
                                      {},
                                      {},
                                      {},
                                      {{0, 0, ""}}},
                                     native_handlers());
    ASSERT_TRUE(made && (*made)->compile(blinding));
    const auto code = (*made)->native()->bytes();
    EXPECT_EQ(std::ranges::search(code, constant).empty(), blinding != 0);
    helper::Run state = new_run(nullptr);
    EXPECT_EQ(jit::NativeRun(state).run(*(*made)->native()), 0x2468acf0u);
  }
}

TEST_F(Interpreter, every_access_can_be_questioned) {
  struct Judge final : CheckedMemory::Judge {
    void check(std::uint64_t address, std::uint32_t bytes, bool) override {
      if (address < low || address + bytes > low + size) ++refused;
      ++asked;
    }
    void add_stack(const std::byte* at, std::size_t bytes) override {
      low = reinterpret_cast<std::uintptr_t>(at);
      size = bytes;
    }
    std::uint64_t low = 0, size = 0;
    int asked = 0, refused = 0;
  } judge;
  std::uint64_t outside = 0;
  auto made = Executable::for_test(
      {abi::ProgType::kSyscall,
       {{0x7a, regs(10), -8, 1}, {0x79, regs(0, 10), -8, 0}, {0x79, regs(0, 1), 0, 0}, kExit},
       {},
       {},
       {},
       {{0, 8, ""}}},
      checked_handlers());
  ASSERT_TRUE(made);
  helper::Run state = new_run(&outside);
  EXPECT_EQ(Execution<CheckedMemory>(**made, state, {&judge}).run(), 0u);
  EXPECT_EQ(judge.asked, 3);
  EXPECT_EQ(judge.refused, 1);
}

TEST_F(Interpreter, what_only_a_kernel_can_do_is_no_executable) {
  for (const Insn& one : {Insn{0x85, regs(0, 2), 0, 1}, Insn{0x85, 0, 0, 0}, Insn{0xbf, regs(1, 2), 1, 0},
                          Insn{0x05, 0, 5, 0}, Insn{0x8d, 0, 0, 0}}) {
    auto made = Executable::for_test({abi::ProgType::kSyscall, {one, kExit}, {}, {}, {}, {{0, 0, ""}}},
                                     native_handlers());
    EXPECT_FALSE(made);
  }
}

}  // namespace
}  // namespace portolan::vm
