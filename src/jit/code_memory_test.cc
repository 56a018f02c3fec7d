// SPDX-License-Identifier: Apache-2.0
#include "jit/code_memory.h"

#include <gtest/gtest.h>

namespace portolan::jit {
namespace {

TEST(CodeBlock, code_runs_where_it_lies_and_lands_only_where_it_may_fault) {
  const std::vector<std::uint8_t> code = {0xb8, 7, 0, 0, 0, 0xc3};  // mov eax, 7; ret
  const auto block = CodeBlock::create(code, {{0, 5}, {5, 0}});
  ASSERT_TRUE(block);
  const auto begin = reinterpret_cast<std::uintptr_t>((*block)->code().data());
  EXPECT_EQ(reinterpret_cast<int (*)()>(begin)(), 7);
  EXPECT_EQ((*block)->landing_of(begin), begin + 5);
  EXPECT_EQ((*block)->landing_of(begin + 5), begin);
  EXPECT_EQ((*block)->landing_of(begin + 1), 0u);
  EXPECT_EQ((*block)->landing_of(begin - 1), 0u);
}

TEST(CodeBlock, memory_that_is_given_back_is_used_again_and_what_is_not_there_is_enomem) {
  const std::vector<std::uint8_t> code(4 << 20, 0xc3);
  std::vector<std::unique_ptr<const CodeBlock>> blocks;
  for (int round = 0; round < 3; ++round) {
    int made = 0;
    for (;; ++made) {
      auto block = CodeBlock::create(code, {});
      if (!block) {
        EXPECT_EQ(block.error().value, ENOMEM);
        break;
      }
      blocks.push_back(std::move(*block));
    }
    EXPECT_EQ(made, 16);
    blocks.clear();
  }
}

}  // namespace
}  // namespace portolan::jit
