// SPDX-License-Identifier: Apache-2.0
// LPM_TRIE.
#include "btf_blob.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

Data prefix_of(std::uint32_t length, std::initializer_list<unsigned> bytes) {
  return joined({number32(length), data(bytes)});
}

class Lpm : public Case {
 protected:
  int trie(std::uint32_t max_entries = 20) { return map({kLpmTrie, 8, 8, max_entries, kNoPrealloc}); }
  std::vector<Data> keys_of(int fd) {
    std::vector<Data> keys;
    Data following(8);
    while (keys.size() < 100 && next(fd, keys.empty() ? nullptr : &keys.back(), &following) == 0)
      keys.push_back(following);
    return keys;
  }
};
ON_BOTH_BACKENDS(Lpm);

TEST_P(Lpm, what_may_be_created) {
  const auto made = [&](const MapSpec& spec) { return std::min(create(spec), 0l); };
  EXPECT_ANSWER(0, made({kLpmTrie, 5, 1, 1, kNoPrealloc}));
  EXPECT_ANSWER(0, made({kLpmTrie, 260, 8, 1, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 4, 8, 1, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 261, 8, 1, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, 0, 1, kNoPrealloc}));
  EXPECT_ANSWER(0, made({kLpmTrie, 8, (4u << 20) - 280, 1, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, (4u << 20) - 279, 1, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, 8, 0, kNoPrealloc}));
  EXPECT_ANSWER(0, made({kLpmTrie, 8, 8, ~0u, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, 8, 1, 0}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, 8, 1, kNoPrealloc | kZeroSeed}));
  EXPECT_ANSWER(-EINVAL, made({kLpmTrie, 8, 8, 1, kNoPrealloc | kMmapable}));
  const auto with_key_type = [&](std::uint64_t type, std::uint32_t size) {
    return made({kLpmTrie, size, 8, 1, kNoPrealloc}) == 0
               ? std::min(create({kLpmTrie, size, 8, 1, kNoPrealloc},
                                 [&](Attr& attr) {
                                   attr.set(create::kBtfFd, static_cast<std::uint64_t>(types_btf()))
                                       .set(create::kBtfKeyTypeId, type)
                                       .set(create::kBtfValueTypeId, kU64);
                                 }),
                          0l)
               : -1;
  };
  EXPECT_ANSWER(0, with_key_type(kPair, 8));
  EXPECT_ANSWER(-EINVAL, with_key_type(kU64, 8));
}

TEST_P(Lpm, the_longest_prefix_that_is_no_longer_than_the_key) {
  const int fd = trie();
  const struct {
    std::uint32_t length;
    std::initializer_list<unsigned> bytes;
  } prefixes[] = {{0, {0, 0, 0, 0}},    {8, {10, 0, 0, 0}},     {16, {10, 1, 0, 0}},
                  {24, {10, 1, 2, 0}},  {32, {10, 1, 2, 3}},    {31, {10, 1, 2, 2}},
                  {9, {10, 128, 0, 0}}, {25, {192, 168, 1, 0}}, {25, {192, 168, 1, 128}}};
  std::uint64_t number = 1;
  for (const auto& prefix : prefixes)
    ASSERT_ANSWER(0, update(fd, prefix_of(prefix.length, prefix.bytes), number64(number++)));
  const struct {
    std::uint32_t length;
    std::initializer_list<unsigned> bytes;
    std::uint64_t expected;
  } rows[] = {{32, {10, 1, 2, 3}, 5},      {32, {10, 1, 2, 2}, 6},   {32, {10, 1, 2, 4}, 4},
              {32, {10, 1, 9, 9}, 3},      {32, {10, 2, 9, 9}, 2},   {32, {10, 200, 0, 0}, 7},
              {32, {11, 0, 0, 0}, 1},      {24, {10, 1, 2, 3}, 4},   {23, {10, 1, 2, 3}, 3},
              {7, {10, 1, 2, 3}, 1},       {0, {10, 1, 2, 3}, 1},    {32, {192, 168, 1, 127}, 8},
              {32, {192, 168, 1, 128}, 9}, {24, {192, 168, 1, 0}, 1}};
  for (const auto& row : rows) {
    Data value(8);
    EXPECT_ANSWER(0, lookup(fd, prefix_of(row.length, row.bytes), &value));
    EXPECT_EQ(number64(row.expected), value);
  }
  Data value(8);
  EXPECT_ANSWER(-ENOENT, lookup(fd, prefix_of(33, {10, 1, 2, 3}), &value));
  EXPECT_ANSWER(0, erase(fd, prefix_of(0, {77, 0, 0, 0})));
  EXPECT_ANSWER(-ENOENT, lookup(fd, prefix_of(32, {11, 0, 0, 0}), &value));
}

TEST_P(Lpm, update_flags_and_limits) {
  const int fd = trie(2);
  const Data key = prefix_of(16, {10, 1, 0, 0}), other = prefix_of(17, {10, 1, 0, 0}),
             third = prefix_of(18, {10, 1, 0, 0});
  EXPECT_ANSWER(-ENOENT, update(fd, key, number64(1), 2));
  EXPECT_ANSWER(0, update(fd, key, number64(1), 1));
  EXPECT_ANSWER(-EEXIST, update(fd, key, number64(2), 1));
  EXPECT_ANSWER(0, update(fd, key, number64(3), 2));
  EXPECT_ANSWER(-EINVAL, update(fd, key, number64(3), 3));
  EXPECT_ANSWER(-EINVAL, update(fd, key, number64(3), 4));
  EXPECT_ANSWER(-EINVAL, update(fd, prefix_of(33, {0, 0, 0, 0}), number64(3)));
  EXPECT_ANSWER(-EINVAL, erase(fd, prefix_of(33, {0, 0, 0, 0})));
  EXPECT_ANSWER(0, update(fd, other, number64(4)));
  EXPECT_ANSWER(-ENOSPC, update(fd, third, number64(5)));
  EXPECT_ANSWER(-ENOENT, update(fd, third, number64(5), 2));
  EXPECT_ANSWER(0, update(fd, other, number64(6)));
  EXPECT_ANSWER(-ENOENT, erase(fd, third));
  EXPECT_ANSWER(0, erase(fd, other));
  EXPECT_ANSWER(-ENOENT, erase(fd, other));
  Data value(8);
  EXPECT_ANSWER(-524, take(fd, key, &value));
}

TEST_P(Lpm, iteration_gives_what_is_longer_first_and_the_data_as_it_was_put) {
  const int fd = trie();
  for (const Data& key :
       {prefix_of(16, {192, 168, 7, 7}), prefix_of(24, {192, 168, 0, 9}), prefix_of(24, {192, 168, 128, 9}),
        prefix_of(24, {192, 168, 1, 9}), prefix_of(0, {1, 2, 3, 4}), prefix_of(1, {128, 0, 0, 5})})
    ASSERT_ANSWER(0, update(fd, key, number64(1)));
  const std::vector<Data> expected = {prefix_of(24, {192, 168, 0, 9}),   prefix_of(24, {192, 168, 1, 9}),
                                      prefix_of(24, {192, 168, 128, 9}), prefix_of(16, {192, 168, 7, 7}),
                                      prefix_of(1, {128, 0, 0, 5}),      prefix_of(0, {1, 2, 3, 4})};
  EXPECT_EQ(expected, keys_of(fd));
  // After what is not there, or cannot be: from the beginning. Only the bits of the prefix count.
  Data following(8);
  for (const Data& key :
       {prefix_of(12, {192, 168, 0, 0}), prefix_of(40, {192, 168, 0, 0}), prefix_of(32, {192, 168, 0, 0})}) {
    EXPECT_ANSWER(0, next(fd, &key, &following));
    EXPECT_EQ(expected[0], following);
  }
  const Data same = prefix_of(16, {192, 168, 99, 99});
  EXPECT_ANSWER(0, next(fd, &same, &following));
  EXPECT_EQ(expected[4], following);
}

}  // namespace
}  // namespace portolan::conformance
