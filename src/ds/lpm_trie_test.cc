// SPDX-License-Identifier: Apache-2.0
#include "ds/lpm_trie.h"

#include <sys/resource.h>

#include <array>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

using Key = std::vector<std::byte>;

Key key_of(std::uint32_t length, const std::vector<std::uint8_t>& data) {
  Key key(4 + data.size());
  std::memcpy(key.data(), &length, 4);
  for (std::size_t i = 0; i < data.size(); ++i) key[4 + i] = std::byte{data[i]};
  return key;
}
std::uint32_t length_of(const Key& key) { return load_unaligned<std::uint32_t>(key.data()); }
bool bit(const Key& key, std::uint32_t at) {
  return (std::to_integer<unsigned>(key[4 + at / 8]) >> (7 - at % 8) & 1) != 0;
}
// The bits that count, as text: two keys are one prefix if these are the same.
std::string bits_of(const Key& key, std::uint32_t length) {
  std::string bits;
  for (std::uint32_t i = 0; i < length; ++i) bits += bit(key, i) ? '1' : '0';
  return bits;
}
// Post-order: '2' stands for the end.
struct PostOrder {
  bool operator()(const std::string& a, const std::string& b) const { return a + '2' < b + '2'; }
};

struct Trie {
  std::unique_ptr<shm::Region> region;
  LpmTrie trie;
  explicit Trie(const LpmTrieShape& shape)
      : region(region_for_test(LpmTrie::sizes(shape)->total, LpmTrie::sizes(shape)->reserved)), trie([&] {
          LpmTrie::format(*region, 0, shape);
          return *LpmTrie::attach(*region, 0);
        }()) {}
  long put(const Key& key, std::uint64_t value, Insert mode = Insert::kAny) {
    const auto done = trie.update(actor_for_test(), key.data(), &value, mode);
    return done ? 0 : -done.error().value;
  }
  long drop(const Key& key) {
    const auto done = trie.erase(actor_for_test(), key.data());
    return done ? 0 : -done.error().value;
  }
  // ~0: none.
  std::uint64_t get(const Key& key) const {
    std::uint64_t value = ~0ull, direct = ~0ull;
    const bool found = trie.lookup(key.data(), &value);
    if (const std::byte* at = trie.find(key.data()); at != nullptr) std::memcpy(&direct, at, 8);
    EXPECT_EQ(direct, value);
    return found ? value : ~0ull;
  }
  std::vector<Key> walk() const {
    std::vector<Key> keys;
    Key next(4 + trie.shape().data_size);
    const std::byte* from = nullptr;
    Key at;
    while (trie.next(from, next.data()) && keys.size() <= trie.shape().max_entries) {
      keys.push_back(next);
      at = next;
      from = at.data();
    }
    return keys;
  }
  void expect_clean() const {
    shm::Findings findings;
    trie.check("trie", findings);
    for (const auto& finding : findings.list()) ADD_FAILURE() << finding.where << ": " << finding.what;
  }
};

TEST(LpmTrie, the_longest_prefix_wins) {
  Trie test({4, 8, 10});
  EXPECT_EQ(test.get(key_of(32, {10, 1, 2, 3})), ~0ull);
  EXPECT_EQ(test.put(key_of(8, {10, 0, 0, 0}), 8), 0);
  EXPECT_EQ(test.put(key_of(24, {10, 1, 2, 0}), 24), 0);
  EXPECT_EQ(test.put(key_of(16, {10, 1, 0, 0}), 16), 0);
  EXPECT_EQ(test.get(key_of(32, {10, 1, 2, 3})), 24u);
  EXPECT_EQ(test.get(key_of(32, {10, 1, 3, 3})), 16u);
  EXPECT_EQ(test.get(key_of(32, {10, 2, 2, 3})), 8u);
  EXPECT_EQ(test.get(key_of(32, {11, 1, 2, 3})), ~0ull);
  EXPECT_EQ(test.get(key_of(23, {10, 1, 2, 3})), 16u);
  EXPECT_EQ(test.get(key_of(8, {10, 1, 2, 3})), 8u);
  EXPECT_EQ(test.get(key_of(7, {10, 1, 2, 3})), ~0ull);
  EXPECT_EQ(test.put(key_of(0, {0, 0, 0, 0}), 99), 0);
  EXPECT_EQ(test.get(key_of(32, {11, 1, 2, 3})), 99u);
  EXPECT_EQ(test.get(key_of(0, {1, 2, 3, 4})), 99u);
  EXPECT_EQ(test.drop(key_of(24, {10, 1, 2, 77})), 0);
  EXPECT_EQ(test.get(key_of(32, {10, 1, 2, 3})), 16u);
  test.expect_clean();
}

TEST(LpmTrie, modes_and_limits) {
  Trie test({2, 8, 2});
  EXPECT_EQ(test.put(key_of(17, {1, 2}), 1), -EINVAL);
  EXPECT_EQ(test.drop(key_of(17, {1, 2})), -EINVAL);
  EXPECT_EQ(test.get(key_of(17, {1, 2})), ~0ull);
  EXPECT_EQ(test.put(key_of(16, {1, 2}), 1, Insert::kExist), -ENOENT);
  EXPECT_EQ(test.put(key_of(16, {1, 2}), 1, Insert::kNoExist), 0);
  EXPECT_EQ(test.put(key_of(16, {1, 2}), 2, Insert::kNoExist), -EEXIST);
  EXPECT_EQ(test.put(key_of(9, {1, 2}), 1), 0);
  EXPECT_EQ(test.put(key_of(10, {1, 2}), 1), -ENOSPC);
  EXPECT_EQ(test.put(key_of(16, {1, 2}), 7, Insert::kExist), 0);
  EXPECT_EQ(test.get(key_of(16, {1, 2})), 7u);
  EXPECT_EQ(test.drop(key_of(10, {1, 2})), -ENOENT);
  EXPECT_EQ(test.drop(key_of(9, {1, 2})), 0);
  EXPECT_EQ(test.drop(key_of(9, {1, 2})), -ENOENT);
  EXPECT_EQ(test.trie.count(), 1u);
  test.expect_clean();
}

TEST(LpmTrie, data_beyond_the_prefix_is_kept_as_it_was_put_last) {
  Trie test({4, 8, 10});
  EXPECT_EQ(test.put(key_of(8, {10, 1, 2, 3}), 1), 0);
  EXPECT_EQ(test.walk(), std::vector<Key>{key_of(8, {10, 1, 2, 3})});
  EXPECT_EQ(test.put(key_of(8, {10, 9, 9, 9}), 2), 0);
  EXPECT_EQ(test.walk(), std::vector<Key>{key_of(8, {10, 9, 9, 9})});
  EXPECT_EQ(test.get(key_of(32, {10, 7, 7, 7})), 2u);
}

// Against a model, for short and long data, sparse and crowded tries.
TEST(LpmTrie, random_sequences_agree_with_a_model) {
  std::mt19937_64 random(7);
  for (const std::uint32_t size : {1u, 3u, 4u, 7u, 8u, 9u, 16u, 256u})
    for (const std::uint32_t most : {1u, 40u, 400u}) {
      Trie test({size, 8, most, {12, 1}});
      Key first(4 + size);
      first[0] = std::byte{8};  // bits, so that there are answers where there may be
      ASSERT_EQ(test.put(first, 1), 0);
      ASSERT_EQ(test.drop(first), 0);
      std::map<std::string, std::pair<Key, std::uint64_t>, PostOrder> model;
      const unsigned alphabet = random() % 2 == 0 ? 256 : 3;  // bytes that are often the same share long ways
      const auto random_key = [&] {
        Key key(4 + size);
        std::uint32_t length =
            random() % 4 == 0 ? 8 * size : static_cast<std::uint32_t>(random() % (8 * size + 1));
        std::memcpy(key.data(), &length, 4);
        for (std::uint32_t i = 0; i < size; ++i)
          key[4 + i] = static_cast<std::byte>(random() % alphabet * 85);
        return key;
      };
      for (int step = 0; step < (size == 256 ? 300 : 1000); ++step) {
        Key key = random_key();
        if (!model.empty() && random() % 2 == 0) {
          auto some = model.begin();
          std::advance(some, static_cast<long>(random() % model.size()));
          key = some->second.first;
          if (random() % 4 == 0) {
            const std::uint32_t shorter = static_cast<std::uint32_t>(random() % (length_of(key) + 1));
            std::memcpy(key.data(), &shorter, 4);
          }
        }
        const std::string bits = bits_of(key, length_of(key));
        const bool is_there = model.contains(bits);
        switch (random() % 5) {
          case 0:
            ASSERT_EQ(test.drop(key), is_there ? 0 : -ENOENT);
            model.erase(bits);
            break;
          case 1:
          case 2: {
            const auto mode = static_cast<Insert>(random() % 3);
            const std::uint64_t value = random();
            const long expected = mode == Insert::kExist && !is_there    ? -ENOENT
                                  : mode == Insert::kNoExist && is_there ? -EEXIST
                                  : !is_there && model.size() == most    ? -ENOSPC
                                                                         : 0;
            ASSERT_EQ(test.put(key, value, mode), expected);
            if (expected == 0) model[bits] = {key, value};
            break;
          }
          default: {
            std::uint64_t expected = ~0ull;
            for (std::uint32_t length = length_of(key) + 1; length-- > 0;)
              if (const auto found = model.find(bits.substr(0, length)); found != model.end()) {
                expected = found->second.second;
                break;
              }
            ASSERT_EQ(test.get(key), expected) << bits;
          }
        }
        ASSERT_EQ(test.trie.count(), model.size());
        if (step % 250 == 0) test.expect_clean();
      }
      std::vector<Key> expected;
      for (const auto& [bits, entry] : model) expected.push_back(entry.first);
      EXPECT_EQ(test.walk(), expected);
      // After a key that is not there: from the beginning.
      Key next(4 + size), absent = random_key();
      if (!expected.empty() && !model.contains(bits_of(absent, length_of(absent)))) {
        ASSERT_TRUE(test.trie.next(absent.data(), next.data()));
        EXPECT_EQ(next, expected[0]);
      }
      for (const Key& key : expected) ASSERT_EQ(test.drop(key), 0);
      EXPECT_EQ(test.trie.count(), 0u);
      test.expect_clean();
    }
}

// So many that the first bits get tables, small and large, and a table of answers where that is wanted, which
// every change must keep true.
class LpmTrieOfMany : public testing::TestWithParam<bool> {};
TEST_P(LpmTrieOfMany, prefixes_are_found_while_they_come_and_go) {
  constexpr std::uint32_t kMost = 270'000;
  const bool wants_answers = GetParam();
  Trie test({4, 8, kMost, {18, wants_answers ? 30'000 : kMost + 1}});
  std::array<std::map<std::uint32_t, std::uint64_t>, 33> model;
  const auto key_at = [](std::uint32_t length, std::uint32_t bits) {
    return key_of(length, {static_cast<std::uint8_t>(bits >> 24), static_cast<std::uint8_t>(bits >> 16),
                           static_cast<std::uint8_t>(bits >> 8), static_cast<std::uint8_t>(bits)});
  };
  std::mt19937_64 random(5);
  const auto random_length = [&] {
    return static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 33 : 14 + random() % 12);
  };
  const auto cut = [](std::uint32_t bits, std::uint32_t length) {
    return static_cast<std::uint32_t>(std::uint64_t{bits} >> (32 - length) << (32 - length));
  };
  const auto expect_found = [&](int lookups) {
    for (; lookups != 0; --lookups) {
      const auto bits = static_cast<std::uint32_t>(random());
      const std::uint32_t limit = random() % 2 == 0 ? 32 : static_cast<std::uint32_t>(random() % 33);
      std::uint64_t expected = ~0ull;
      for (std::uint32_t length = limit + 1; expected == ~0ull && length-- > 0;)
        if (const auto found = model[length].find(cut(bits, length)); found != model[length].end())
          expected = found->second;
      ASSERT_EQ(test.get(key_at(limit, bits)), expected) << std::hex << bits << '/' << std::dec << limit;
    }
  };
  std::uint32_t count = 0;
  const auto drop = [&](std::uint32_t length, std::uint32_t bits) {
    const bool is_there = model[length].erase(bits) != 0;
    ASSERT_EQ(test.drop(key_at(length, bits)), is_there ? 0 : -ENOENT);
    count -= is_there;
  };
  for (std::uint64_t step = 0; count < kMost; ++step) {
    const std::uint32_t length = random_length(), bits = cut(static_cast<std::uint32_t>(random()), length);
    ASSERT_EQ(test.put(key_at(length, bits), step), 0);
    count += model[length].insert_or_assign(bits, step).second;
    if (step % 4 == 0) {
      const std::uint32_t old_length = random_length();
      const auto old = model[old_length].lower_bound(cut(static_cast<std::uint32_t>(random()), old_length));
      if (old != model[old_length].end()) drop(old_length, old->first);
    }
    if (step % 64 == 0) expect_found(8);
  }
  EXPECT_EQ(test.trie.count(), kMost);
  test.expect_clean();
  if (!wants_answers) {
    EXPECT_LE(test.trie.reserved_bytes(), 36ull * kMost);  // what the kernel takes
  }
  for (std::uint32_t length = 0; length <= 32; ++length)
    while (model[length].size() > 10) drop(length, model[length].begin()->first);
  expect_found(10'000);
  EXPECT_EQ(test.walk().size(), count);
  test.expect_clean();
}
INSTANTIATE_TEST_SUITE_P(LpmTrie, LpmTrieOfMany, testing::Bool(),
                         [](const auto& at) { return at.param ? "with_answers" : "without_answers"; });

TEST(LpmTrie, answers_keep_true_below_what_is_longer_than_they_are) {
  Trie test({4, 8, 2000, {12, 0}});
  for (std::uint32_t n = 0; n < 1024; ++n)
    ASSERT_EQ(
        test.put(key_of(32, {100, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n), 0}), n),
        0);
  const auto found = [&](std::uint8_t second, std::uint8_t third) {
    return test.get(key_of(32, {10, second, third, 1}));
  };
  EXPECT_EQ(found(1, 1), ~0ull);
  EXPECT_EQ(test.put(key_of(2, {0, 0, 0, 0}), 2), 0);  // too short for an answer
  EXPECT_EQ(found(1, 1), 2u);
  EXPECT_EQ(test.put(key_of(8, {10, 0, 0, 0}), 8), 0);
  EXPECT_EQ(test.put(key_of(24, {10, 1, 1, 0}), 24), 0);  // too long for one
  EXPECT_EQ(found(1, 1), 24u);
  EXPECT_EQ(found(1, 2), 8u);
  EXPECT_EQ(found(17, 1), 8u);
  EXPECT_EQ(test.put(key_of(12, {10, 0, 0, 0}), 12), 0);
  EXPECT_EQ(found(1, 1), 24u);
  EXPECT_EQ(found(1, 2), 12u);
  EXPECT_EQ(found(17, 1), 8u);
  EXPECT_EQ(test.drop(key_of(8, {10, 0, 0, 0})), 0);
  EXPECT_EQ(found(1, 2), 12u);
  EXPECT_EQ(found(17, 1), 2u);
  EXPECT_EQ(test.put(key_of(16, {10, 1, 0, 0}), 16), 0);
  EXPECT_EQ(test.drop(key_of(24, {10, 1, 1, 0})), 0);
  EXPECT_EQ(found(1, 1), 16u);
  EXPECT_EQ(test.drop(key_of(16, {10, 1, 0, 0})), 0);
  EXPECT_EQ(found(1, 1), 12u);
  EXPECT_EQ(test.put(key_of(12, {10, 0, 0, 0}), 112), 0);
  EXPECT_EQ(found(1, 1), 112u);
  EXPECT_EQ(test.drop(key_of(12, {10, 0, 0, 0})), 0);
  EXPECT_EQ(found(1, 1), 2u);
  test.expect_clean();
}

// No more memory for this process, as long as it lasts.
class NoMoreMemory {
 public:
  NoMoreMemory() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoMoreMemory() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(LpmTrie, where_there_is_no_more_memory_prefixes_can_still_be_erased) {
  Trie test({4, 8, 100'000});
  const auto beside = [](std::uint8_t third) { return key_of(24, {10, 1, third, 0}); };
  // As many in one node as do not fit into the smallest.
  for (std::uint8_t third = 0; third < 6; ++third) ASSERT_EQ(test.put(beside(third), third), 0);
  ASSERT_EQ(test.put(key_of(16, {10, 1, 0, 0}), 16), 0);
  // Each of these wants a small node of its own when it gets a neighbour. For that there are elements to
  // spare.
  const auto far = [](std::uint32_t n, std::uint8_t last) {
    return key_of(32, {static_cast<std::uint8_t>(100 + n / 256), static_cast<std::uint8_t>(n), 0, last});
  };
  const auto spare = [](std::uint32_t n) {
    return key_of(24, {50, static_cast<std::uint8_t>(n / 256), static_cast<std::uint8_t>(n), 0});
  };
  for (std::uint32_t n = 0; n < 1000; ++n) {
    ASSERT_EQ(test.put(far(n, 0), 1), 0);
    ASSERT_EQ(test.put(spare(n), 1), 0);
  }
  for (std::uint32_t n = 0; n < 1000; ++n) ASSERT_EQ(test.drop(spare(n)), 0);
  {
    const NoMoreMemory none;
    long error = 0;
    for (std::uint32_t n = 0; n < 1000 && error == 0; ++n) error = test.put(far(n, 1), 1);
    EXPECT_EQ(error, -ENOMEM);
    for (std::uint8_t third = 0; third < 5; ++third) {
      ASSERT_EQ(test.drop(beside(third)), 0);
      EXPECT_EQ(test.get(key_of(32, {10, 1, third, 1})), 16u);
      EXPECT_EQ(test.drop(beside(third)), -ENOENT);
    }
    EXPECT_EQ(test.get(key_of(32, {10, 1, 5, 1})), 5u);
    ASSERT_EQ(test.drop(beside(5)), 0);
    EXPECT_EQ(test.get(key_of(32, {10, 1, 5, 1})), 16u);
    test.expect_clean();
  }
  for (std::uint8_t third = 0; third < 6; ++third) ASSERT_EQ(test.put(beside(third), third), 0);
  for (std::uint8_t third = 0; third < 6; ++third) EXPECT_EQ(test.get(key_of(32, {10, 1, third, 1})), third);
  test.expect_clean();
}

// Readers never miss what is always there, nor see a value that is not of its prefix, whatever writers do
// beside it.
struct Beside {
  const char* name;
  std::uint32_t others, least_answers;
};
class LpmTrieShared : public testing::TestWithParam<Beside> {};
TEST_P(LpmTrieShared, readers_see_whole_answers_while_others_write) {
  const std::uint32_t others = GetParam().others;
  Trie test({4, 16, 2000 + others, {18, GetParam().least_answers}});
  const auto value_of = [](std::uint32_t length, std::uint8_t second) {
    return std::array<std::uint64_t, 2>{std::uint64_t{length} << 8 | second,
                                        ~(std::uint64_t{length} << 8 | second)};
  };
  const auto put = [&](std::uint64_t thread, const Key& key) {
    const auto value = value_of(length_of(key), std::to_integer<std::uint8_t>(key[5]));
    return test.trie.update(actor_for_test(thread), key.data(), value.data(), Insert::kAny);
  };
  for (std::uint32_t second = 0; second < 256; ++second)
    ASSERT_TRUE(put(1, key_of(16, {10, static_cast<std::uint8_t>(second), 0, 0})));
  for (std::uint32_t n = 0; n < others; ++n)
    ASSERT_TRUE(
        put(1, key_of(32, {100, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n), 0})));
  sync::Atomic<std::uint32_t> stop;
  sync::Atomic<std::uint64_t> wrong;
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < 2; ++writer)
    threads.emplace_back([&, writer] {
      std::mt19937_64 random(writer);
      for (int step = 0; step < 20000; ++step) {
        const Key key = key_of(random() % 8 == 0 ? 12 : 17 + static_cast<std::uint32_t>(random() % 16),
                               {10, static_cast<std::uint8_t>(random()),
                                static_cast<std::uint8_t>(writer << 7 | random() % 8), 0});
        if (random() % 2 == 0)
          (void)put(10 + writer, key);
        else
          (void)test.trie.erase(actor_for_test(10 + writer), key.data());
      }
      stop.store_relaxed(1);
    });
  for (int reader = 0; reader < 2; ++reader)
    threads.emplace_back([&, reader] {
      std::mt19937_64 random(static_cast<std::uint64_t>(100 + reader));
      while (stop.load_relaxed() == 0) {
        const auto second = static_cast<std::uint8_t>(random());
        const Key key = key_of(
            32, {10, second, static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random())});
        std::array<std::uint64_t, 2> value{};
        const bool found = test.trie.lookup(key.data(), value.data());
        if (!found || (value[0] & 0xff) != second || value[1] != ~value[0]) wrong.fetch_add_relaxed(1);
        Key next(8);
        if (!test.trie.next(key.data(), next.data()) || length_of(next) > 32) wrong.fetch_add_relaxed(1);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load_relaxed(), 0u);
  test.expect_clean();
}
INSTANTIATE_TEST_SUITE_P(LpmTrie, LpmTrieShared,
                         testing::Values(Beside{"alone", 0, UINT32_MAX},
                                         Beside{"beside_so_many_that_there_is_a_table", 9000, UINT32_MAX},
                                         Beside{"beside_so_many_that_there_are_answers", 9000, 100}),
                         [](const auto& at) { return at.param.name; });

TEST(LpmTrie, shapes_that_cannot_be_are_refused) {
  EXPECT_FALSE(LpmTrie::sizes({0, 8, 1}));
  EXPECT_FALSE(LpmTrie::sizes({257, 8, 1}));
  EXPECT_FALSE(LpmTrie::sizes({4, 7, 1}));
  EXPECT_FALSE(LpmTrie::sizes({4, 8, 0}));
  EXPECT_FALSE(LpmTrie::sizes({4, 8, 1, {30, 1}}));
  EXPECT_FALSE(LpmTrie::sizes({4, 8, 1, {20, 1}}));
  EXPECT_TRUE(LpmTrie::sizes({4, 8, UINT32_MAX}));
}

// Whatever another process wrote over it, nothing beyond it is read or written, and every call ends.
TEST(LpmTrie, any_bytes_are_bounded) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    const bool has_answers = round % 30 == 29;
    Trie test({4, 8, round % 2 == 0 ? 20u : 10'000u, {12, 0}});
    for (std::uint32_t n = 0; n < (has_answers ? 4000 : 20); ++n)
      (void)test.put(
          key_of(static_cast<std::uint32_t>(random() % 33),
                 {static_cast<std::uint8_t>(random() % 4), static_cast<std::uint8_t>(random()), 0, 0}),
          n);
    const std::uint64_t end = test.trie.reserved_bytes() < 4096 ? test.trie.reserved_bytes() : 4096;
    for (int spoiled = 0; spoiled < 20; ++spoiled) {
      // Not the shape, which attach() has read, nor the lock, whose owner would be waited for.
      const std::uint64_t at = 28 + random() % (end - 28);
      if (at >= 40 && at < 48) continue;
      test.region->base()[at] = static_cast<std::byte>(random());
      if (has_answers) test.region->base()[test.region->size() - 1 - random() % 16384] = std::byte{7};
    }
    for (int step = 0; step < 50; ++step) {
      const Key key =
          key_of(static_cast<std::uint32_t>(random() % 33),
                 {static_cast<std::uint8_t>(random() % 4), static_cast<std::uint8_t>(random()), 0, 0});
      (void)test.get(key);
      (void)test.put(key, 1);
      (void)test.drop(key);
      (void)test.walk();
    }
    shm::Findings findings;
    test.trie.check("trie", findings);
  }
}

}  // namespace
}  // namespace portolan::ds
