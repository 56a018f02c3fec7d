// SPDX-License-Identifier: Apache-2.0
// What becomes of a program that has passed the checks; the expected forms are what Linux 6.18 shows of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verifier/rewrite.h"

namespace portolan::verifier {
namespace {

using abi::Insn;
using ::testing::ElementsAre;

constexpr Insn insn(std::uint8_t code, unsigned to = 0, unsigned from = 0, std::int16_t off = 0,
                    std::int32_t imm = 0) {
  return {code, static_cast<std::uint8_t>(to | from << 4), off, imm};
}
constexpr Insn kExit = insn(0x95);
constexpr Insn set(unsigned to, std::int32_t value) { return insn(0xb7, to, 0, 0, value); }
constexpr Insn jump(std::int16_t by) { return insn(0x05, 0, 0, by); }

std::vector<std::string> text(const std::vector<Insn>& insns) {
  std::vector<std::string> lines;
  for (const Insn& one : insns)
    lines.push_back(fmt::format("{:02x} r{} r{} {} {}", one.code, one.dst(), one.src(), one.off, one.imm));
  return lines;
}

// All instructions seen but `dead` ones; functions where `starts` says.
struct Sample {
  std::vector<Insn> insns;
  std::vector<std::size_t> dead = {};
  std::vector<std::uint32_t> starts = {0};
  std::vector<abi::FuncInfo> func_info = {};
  std::vector<abi::LineInfo> line_info = {};
};
VerifiedProgram built(const Sample& sample) {
  UnverifiedProgram source;
  source.type = abi::ProgType::kSocketFilter;
  source.insns = sample.insns;
  source.func_info = sample.func_info;
  source.line_info = sample.line_info;
  Facts facts;
  facts.insns.resize(sample.insns.size(), {.seen = true});
  for (std::size_t at : sample.dead) facts.insns[at].seen = false;
  const auto end = static_cast<std::uint32_t>(sample.insns.size());
  for (std::size_t i = 0; i < sample.starts.size(); ++i)
    facts.subprograms.push_back(
        {sample.starts[i], i + 1 < sample.starts.size() ? sample.starts[i + 1] : end, 0, {}});
  auto program = build_program(std::move(source), std::move(facts));
  EXPECT_TRUE(program);
  return std::move(*program);
}

TEST(Fixup, a_jump_that_always_goes_one_way_and_what_it_skips_are_gone) {
  const VerifiedProgram program =
      built({.insns = {set(6, 1), set(1, 1), insn(0x55, 6, 0, 1, 1), jump(1), set(6, 7),
                       insn(0x85, 0, 1, 0, 1), kExit, set(0, 3), insn(0x3f, 0, 1), insn(0x9c, 0, 1), kExit},
             .dead = {4},
             .starts = {0, 7}});
  EXPECT_EQ(text(program.insns()),
            text({set(6, 1), set(1, 1), insn(0x85, 0, 1, 0, 1), kExit, set(0, 3), insn(0x55, 1, 0, 2, 0),
                  insn(0xac, 0, 0), jump(1), insn(0x3f, 0, 1), insn(0x16, 1, 0, 2, 0), insn(0x9c, 0, 1),
                  jump(1), insn(0xbc, 0, 0), kExit}));
  ASSERT_EQ(program.subprograms().size(), 2u);
  EXPECT_EQ(program.subprograms()[1].start, 4u);
}

TEST(Fixup, jumps_over_what_grows_or_goes_still_reach_their_targets) {
  const VerifiedProgram program =
      built({.insns = {set(0, 1), insn(0x15, 0, 0, 5, 9), insn(0x3f, 0, 0), set(3, 3), insn(0x18, 1, 0, 0, 5),
                       insn(0), insn(0x35, 0, 0, -5, 7), kExit},
             .dead = {3}});
  EXPECT_EQ(text(program.insns()),
            text({set(0, 1), insn(0x15, 0, 0, 7, 9), insn(0x55, 0, 0, 2, 0), insn(0xac, 0, 0), jump(1),
                  insn(0x3f, 0, 0), insn(0x18, 1, 0, 0, 5), insn(0), insn(0x35, 0, 0, -7, 7), kExit}));
}

TEST(Fixup, a_function_that_nobody_calls_goes_with_its_info) {
  const VerifiedProgram program =
      built({.insns = {set(0, 0), jump(0), kExit, set(0, 1), kExit, set(0, 2), kExit},
             .dead = {3, 4},
             .starts = {0, 3, 5},
             .func_info = {{0, 10}, {3, 11}, {5, 12}},
             .line_info = {{0, 1, 1, 1}, {3, 1, 1, 2}, {5, 1, 1, 3}, {6, 1, 1, 4}}});
  EXPECT_EQ(text(program.insns()), text({set(0, 0), kExit, set(0, 2), kExit}));
  ASSERT_EQ(program.subprograms().size(), 2u);
  EXPECT_EQ(program.subprograms()[1].start, 2u);
  ASSERT_EQ(program.func_info().size(), 2u);
  EXPECT_EQ(program.func_info()[1].insn_off, 2u);
  EXPECT_EQ(program.func_info()[1].type_id, 12u);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lines;
  for (const abi::LineInfo& line : program.line_info()) lines.emplace_back(line.insn_off, line.line_col);
  using P = std::pair<std::uint32_t, std::uint32_t>;
  EXPECT_THAT(lines, ElementsAre(P{0, 1}, P{2, 3}, P{3, 4}));
}

TEST(Fixup, the_line_of_removed_code_speaks_for_what_follows_if_that_has_none) {
  const VerifiedProgram program =
      built({.insns = {set(0, 0), set(1, 1), set(2, 2), set(3, 3), kExit},
             .dead = {1, 2},
             .line_info = {{0, 1, 1, 1}, {1, 1, 1, 2}, {2, 1, 1, 3}, {4, 1, 1, 5}}});
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lines;
  for (const abi::LineInfo& line : program.line_info()) lines.emplace_back(line.insn_off, line.line_col);
  using P = std::pair<std::uint32_t, std::uint32_t>;
  EXPECT_THAT(lines, ElementsAre(P{0, 1}, P{1, 3}, P{2, 5}));
}

TEST(Fixup, a_jump_that_no_longer_fits_its_offset_is_efault) {
  // Each of these divisions becomes four instructions: the jump over them gets too long.
  std::vector<Insn> insns = {set(0, 1), insn(0x15, 0, 0, 10000, 0)};
  for (int i = 0; i < 10000; ++i) insns.push_back(insn(0x3f, 0, 0));
  insns.push_back(kExit);
  UnverifiedProgram source;
  source.type = abi::ProgType::kSocketFilter;
  source.insns = insns;
  Facts facts;
  facts.insns.resize(insns.size(), {.seen = true});
  facts.subprograms.push_back({0, static_cast<std::uint32_t>(insns.size()), 0, {}});
  const auto program = build_program(std::move(source), std::move(facts));
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().value, EFAULT);
}

TEST(Target, is_where_the_instruction_leads) {
  EXPECT_EQ(target_of(jump(3), 10), 14);
  EXPECT_EQ(target_of(insn(0x06, 0, 0, 0, -5), 10), 6);  // gotol
  EXPECT_EQ(target_of(insn(0x85, 0, 1, 0, 7), 10), 18);  // a subprogram
  EXPECT_EQ(target_of(insn(0x18, 2, 4, 0, 7), 10), 18);  // a callback
  EXPECT_EQ(target_of(insn(0x85, 0, 0, 0, 7), 10), -1);  // a helper
  EXPECT_EQ(target_of(kExit, 10), -1);
  EXPECT_EQ(target_of(insn(0xbf, 1, 2), 10), -1);
}

}  // namespace
}  // namespace portolan::verifier
