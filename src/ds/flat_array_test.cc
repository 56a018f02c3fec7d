// SPDX-License-Identifier: Apache-2.0
#include "ds/flat_array.h"

#include <gtest/gtest.h>

#include <vector>

namespace portolan::ds {
namespace {

struct Memory {
  explicit Memory(std::size_t size) : words(size / 8 + 1) {}
  Bytes bytes(std::size_t size) { return {reinterpret_cast<std::byte*>(words.data()), size}; }
  std::vector<std::uint64_t> words;
};

TEST(FlatArray, values_lie_a_rounded_stride_apart) {
  Memory memory(4096);
  const auto array = FlatArray::attach(memory.bytes(4096), {5, 10});
  ASSERT_TRUE(array);
  EXPECT_EQ(array->stride(), 8u);
  EXPECT_EQ(array->at(3), array->base() + 24);
}

TEST(FlatArray, a_cpu_has_a_block_of_its_own) {
  const FlatArray::Shape shape{16, 3, 4};
  ASSERT_EQ(FlatArray::size(shape).value(), 4u * 64);
  Memory memory(256);
  const auto array = FlatArray::attach(memory.bytes(256), shape);
  ASSERT_TRUE(array);
  EXPECT_EQ(array->at(2, 3), array->base() + 3 * 64 + 2 * 16);
  EXPECT_EQ(array->at(2, 4), nullptr);
}

TEST(FlatArray, an_index_out_of_bounds_is_refused) {
  Memory memory(64);
  const auto array = FlatArray::attach(memory.bytes(64), {8, 8});
  ASSERT_TRUE(array);
  std::uint64_t value = 0;
  EXPECT_TRUE(array->write(7, &value));
  EXPECT_FALSE(array->write(8, &value));
  EXPECT_FALSE(array->read(0xffff'ffff, &value));
}

TEST(FlatArray, reads_what_was_written_and_no_neighbour) {
  Memory memory(4096);
  const auto array = FlatArray::attach(memory.bytes(4096), {12, 20});
  ASSERT_TRUE(array);
  for (std::uint32_t index = 0; index < 20; ++index) {
    const std::vector<char> value(12, static_cast<char>('a' + index));
    ASSERT_TRUE(array->write(index, value.data()));
  }
  for (std::uint32_t index = 0; index < 20; ++index) {
    std::vector<char> value(12);
    ASSERT_TRUE(array->read(index, value.data()));
    EXPECT_EQ(value, std::vector<char>(12, static_cast<char>('a' + index)));
  }
}

TEST(FlatArray, memory_that_does_not_fit_is_refused) {
  Memory memory(64);
  EXPECT_FALSE(FlatArray::attach(memory.bytes(63), {8, 8}));
  EXPECT_TRUE(FlatArray::attach(memory.bytes(64), {8, 8}));
  EXPECT_FALSE(FlatArray::attach(memory.bytes(64).subspan(1), {8, 7}));
}

TEST(FlatArray, shapes_that_cannot_be_are_refused) {
  EXPECT_EQ(FlatArray::size({0, 1}).error().value, EINVAL);
  EXPECT_EQ(FlatArray::size({1, 0}).error().value, EINVAL);
  EXPECT_EQ(FlatArray::size({0xffff'ffff, 0xffff'ffff}).error().value, E2BIG);
  EXPECT_EQ(FlatArray::size({8, 0xffff'ffff, 4096}).error().value, E2BIG);
}

}  // namespace
}  // namespace portolan::ds
