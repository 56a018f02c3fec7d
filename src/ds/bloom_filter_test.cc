// SPDX-License-Identifier: Apache-2.0
#include "ds/bloom_filter.h"

#include <gtest/gtest.h>

#include <vector>

namespace portolan::ds {
namespace {

struct Filter {
  explicit Filter(BloomFilter::Shape shape)
      : words(BloomFilter::size(shape) / 8),
        filter(*BloomFilter::attach({reinterpret_cast<std::byte*>(words.data()), words.size() * 8}, shape)) {}
  void add(std::uint64_t value) { filter.add(reinterpret_cast<const std::byte*>(&value)); }
  bool has(std::uint64_t value) const { return filter.has(reinterpret_cast<const std::byte*>(&value)); }
  std::vector<std::uint64_t> words;
  BloomFilter filter;
};

TEST(BloomFilter, is_as_large_as_the_kernels) {
  EXPECT_EQ(BloomFilter::bits({8, 1, 5, 0}), 64u);
  EXPECT_EQ(BloomFilter::bits({8, 10, 5, 0}), 128u);       // 70
  EXPECT_EQ(BloomFilter::bits({8, 1000, 5, 0}), 8192u);    // 7000
  EXPECT_EQ(BloomFilter::bits({8, 1000, 15, 0}), 32768u);  // 21000
  EXPECT_EQ(BloomFilter::bits({8, 1u << 31, 5, 0}), 1ull << 32);
  EXPECT_EQ(BloomFilter::bits({8, ~0u, 1, 0}), 1ull << 32);
  EXPECT_EQ(BloomFilter::bits({8, 400'000'000, 5, 0}), 1ull << 32);  // 2.8e9 > 2^31
}

TEST(BloomFilter, what_was_added_is_found_and_little_else) {
  for (std::uint32_t hashes : {1u, 3u, 4u, 5u, 8u, 15u}) {
    Filter test({8, 2000, hashes, 7});
    for (std::uint64_t n = 0; n < 2000; ++n) test.add(n);
    for (std::uint64_t n = 0; n < 2000; ++n) ASSERT_TRUE(test.has(n)) << n;
    unsigned mistakes = 0;
    for (std::uint64_t n = 1'000'000; n < 1'010'000; ++n) mistakes += test.has(n) ? 1 : 0;
    EXPECT_LT(mistakes, hashes == 1 ? 6500u : 1500u) << hashes;
  }
}

TEST(BloomFilter, an_empty_one_has_nothing) {
  const Filter test({8, 100, 5, 0});
  for (std::uint64_t n = 0; n < 1000; ++n) EXPECT_FALSE(test.has(n));
}

TEST(BloomFilter, other_seeds_make_other_mistakes) {
  Filter first({8, 20, 2, 1}), second({8, 20, 2, 2});
  for (std::uint64_t n = 0; n < 30; ++n) first.add(n), second.add(n);
  unsigned unlike = 0;
  for (std::uint64_t n = 100; n < 400; ++n) unlike += first.has(n) != second.has(n) ? 1 : 0;
  EXPECT_GT(unlike, 10u);
}

TEST(BloomFilter, shapes_that_are_none_are_refused) {
  std::uint64_t word = 0;
  const Bytes bytes{reinterpret_cast<std::byte*>(&word), 8};
  EXPECT_TRUE(BloomFilter::attach(bytes, {8, 1, 5, 0}));
  EXPECT_FALSE(BloomFilter::attach(bytes, {0, 1, 5, 0}));
  EXPECT_FALSE(BloomFilter::attach(bytes, {8, 0, 5, 0}));
  EXPECT_FALSE(BloomFilter::attach(bytes, {8, 1, 0, 0}));
  EXPECT_FALSE(BloomFilter::attach(bytes, {8, 1, 16, 0}));
  EXPECT_FALSE(BloomFilter::attach(bytes, {8, 1000, 5, 0}));
}

}  // namespace
}  // namespace portolan::ds
