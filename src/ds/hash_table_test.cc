// SPDX-License-Identifier: Apache-2.0
#include "ds/hash_table.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/sys.h"
#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

using Blob = std::vector<std::byte>;

// A key or value of `size` bytes that says `number`, as far as they reach.
Blob blob(std::size_t size, std::uint64_t number) {
  Blob bytes(size);
  for (std::size_t at = 0; at < size; ++at)
    bytes[at] = static_cast<std::byte>(at < 8 ? number >> (8 * at) : (number * 31 + at * 7));
  return bytes;
}

HashTableShape words(std::uint32_t max_entries, bool preallocated = true, std::uint64_t seed = 0x1234) {
  return {8, 8, max_entries, preallocated, seed};
}

Result<void> put(HashTable& table, std::uint64_t key, std::uint64_t value, Insert mode = Insert::kAny) {
  return table.update(actor_for_test(), &key, &value, mode);
}
Result<void> drop(HashTable& table, std::uint64_t key) { return table.erase(actor_for_test(), &key); }
std::uint64_t get(const HashTable& table, std::uint64_t key, std::uint64_t otherwise = ~0ull) {
  std::uint64_t value = 0;
  return table.lookup(&key, &value) ? value : otherwise;
}
#define EXPECT_ERRNO(code, ...)             \
  do {                                      \
    const auto result_ = (__VA_ARGS__);     \
    ASSERT_FALSE(result_);                  \
    EXPECT_EQ(result_.error().value, code); \
  } while (false)

TEST(HashTable, finds_what_was_put_and_nothing_else) {
  TableForTest test(words(100));
  for (std::uint64_t key = 0; key < 100; ++key) ASSERT_TRUE(put(test.table, key, key * 3));
  for (std::uint64_t key = 0; key < 100; ++key) EXPECT_EQ(get(test.table, key), key * 3);
  for (std::uint64_t key = 100; key < 1000; ++key) EXPECT_EQ(get(test.table, key), ~0ull);
  EXPECT_EQ(test.table.count(), 100u);
  test.expect_clean();
}

TEST(HashTable, modes_answer_eexist_and_enoent) {
  TableForTest test(words(4));
  EXPECT_ERRNO(ENOENT, put(test.table, 1, 1, Insert::kExist));
  EXPECT_TRUE(put(test.table, 1, 1, Insert::kNoExist));
  EXPECT_ERRNO(EEXIST, put(test.table, 1, 2, Insert::kNoExist));
  EXPECT_EQ(get(test.table, 1), 1u);
  EXPECT_TRUE(put(test.table, 1, 2, Insert::kExist));
  EXPECT_EQ(get(test.table, 1), 2u);
  EXPECT_TRUE(drop(test.table, 1));
  EXPECT_ERRNO(ENOENT, drop(test.table, 1));
  test.expect_clean();
}

// Walks of words and of other keys are compiled apart.
TEST(HashTable, a_walk_by_many_gives_each_element_once_and_ends_with_fewer) {
  for (const std::uint32_t key_size : {8u, 24u}) {
    TableForTest test({key_size, 8, 100, true, 0x1234});
    for (std::uint64_t number = 0; number < 100; ++number)
      ASSERT_TRUE(
          test.table.update(actor_for_test(), blob(key_size, number).data(), &number, Insert::kNoExist));
    for (std::uint64_t number = 0; number < 100; number += 3)
      ASSERT_TRUE(test.table.erase(actor_for_test(), blob(key_size, number).data()));
    constexpr std::uint32_t kMost = 10;
    Blob keys(std::size_t{key_size} * kMost);
    std::vector<std::uint64_t> values(kMost);
    std::set<std::uint64_t> seen;
    std::uint32_t cursor = HashTable::kBegin, got = kMost;
    while (got == kMost) {
      got = test.table.next_many(cursor, keys.data(), values.data(), kMost);
      for (std::uint32_t at = 0; at < got; ++at) {
        EXPECT_TRUE(seen.insert(values[at]).second);
        const Blob key = blob(key_size, values[at]);
        EXPECT_EQ(std::memcmp(keys.data() + std::size_t{at} * key_size, key.data(), key_size), 0);
      }
    }
    EXPECT_EQ(seen.size(), 66u);
    for (const std::uint64_t number : seen) EXPECT_NE(number % 3, 0u);
  }
}

TEST(HashTable, erase_hands_out_the_value) {
  TableForTest test(words(4));
  ASSERT_TRUE(put(test.table, 7, 77));
  const std::uint64_t key = 7;
  std::uint64_t taken = 0;
  EXPECT_TRUE(test.table.erase(actor_for_test(), &key, &taken));
  EXPECT_EQ(taken, 77u);
  EXPECT_EQ(test.table.count(), 0u);
}

TEST(HashTable, find_points_at_the_value) {
  TableForTest test(words(4));
  ASSERT_TRUE(put(test.table, 7, 77));
  std::uint64_t key = 7;
  auto* value = reinterpret_cast<std::uint64_t*>(test.table.find(&key));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 77u);
  *value = 78;
  EXPECT_EQ(get(test.table, 7), 78u);
  key = 8;
  EXPECT_EQ(test.table.find(&key), nullptr);
}

class Capacity : public testing::TestWithParam<std::tuple<std::uint32_t, bool>> {};

TEST_P(Capacity, is_exact_however_often_it_is_filled) {
  const auto [most, preallocated] = GetParam();
  TableForTest test(words(most, preallocated));
  for (std::uint64_t round = 0; round < 3; ++round) {
    const std::uint64_t base = round * 1'000'000;
    for (std::uint64_t key = 0; key < most; ++key) ASSERT_TRUE(put(test.table, base + key, key)) << key;
    for (unsigned again = 0; again < 3; ++again) EXPECT_ERRNO(E2BIG, put(test.table, base + most + again, 0));
    EXPECT_EQ(test.table.count(), most);
    for (std::uint64_t key = 0; key < most; ++key)
      ASSERT_TRUE(put(test.table, base + key, key + 1));  // replaces
    ASSERT_TRUE(drop(test.table, base + most / 2));
    ASSERT_TRUE(put(test.table, base + most, 5));
    EXPECT_ERRNO(E2BIG, put(test.table, base + most / 2, 0));
    test.expect_clean();
    for (std::uint64_t key = 0; key <= most; ++key)
      EXPECT_EQ(bool(drop(test.table, base + key)), key != most / 2);
    EXPECT_EQ(test.table.count(), 0u);
    test.expect_clean();
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, Capacity,
                         testing::Combine(testing::Values(1u, 2u, 3u, 9u, 10u, 63u, 64u, 1000u, 5000u),
                                          testing::Bool()));

TEST(HashTable, capacity_is_exact_for_threads_that_use_different_lanes) {
  TableForTest test(words(2048));
  for (std::uint64_t key = 0; key < 2048; ++key) {
    const std::uint64_t value = key;
    ASSERT_TRUE(test.table.update(actor_for_test(1 + key % 40), &key, &value, Insert::kAny)) << key;
  }
  EXPECT_ERRNO(E2BIG, put(test.table, 9999, 0));
  std::uint64_t key = 5, value = 0;
  ASSERT_TRUE(test.table.erase(actor_for_test(17), &key));  // lies in that lane now
  key = 9999;
  EXPECT_TRUE(test.table.update(actor_for_test(3), &key, &value, Insert::kAny));
  EXPECT_ERRNO(E2BIG, put(test.table, 10000, 0));
  test.expect_clean();
}

TEST(HashTable, agrees_with_a_map_over_random_operations) {
  struct Kind {
    std::uint32_t key_size, value_size, max_entries;
    bool preallocated;
  };
  for (const Kind kind : {Kind{1, 8, 100, true},      Kind{2, 8, 50, true},      Kind{3, 16, 60, false},
                          Kind{4, 8, 300, true},      Kind{4, 24, 77, false},    Kind{5, 8, 200, true},
                          Kind{7, 8, 9, true},        Kind{8, 8, 500, true},     Kind{8, 8, 12, false},
                          Kind{8, 64, 100, true},     Kind{12, 8, 100, true},    Kind{16, 8, 300, true},
                          Kind{16, 32, 40, false},    Kind{17, 8, 80, true},     Kind{33, 40, 80, true},
                          Kind{512, 1024, 30, false}, Kind{8, 65536, 20, false}, Kind{513, 8, 200, true},
                          Kind{5000, 16, 60, false},  Kind{65536, 8, 20, true}}) {
    SCOPED_TRACE(testing::Message() << kind.key_size << "/" << kind.value_size << "/" << kind.max_entries);
    TableForTest test({kind.key_size, kind.value_size, kind.max_entries, kind.preallocated, 99});
    std::map<Blob, Blob> model;
    std::mt19937_64 random(kind.key_size * 1000 + kind.value_size);
    const std::uint64_t keys = kind.key_size == 1 ? 256 : kind.max_entries * 2;
    const int steps = kind.key_size + kind.value_size > 1000 ? 2'000 : 20'000;
    for (int step = 0; step < steps; ++step) {
      const Blob key = blob(kind.key_size, random() % keys), value = blob(kind.value_size, random());
      const auto actor = actor_for_test(1 + random() % 5);
      const bool present = model.contains(key);
      switch (random() % 6) {
        case 0:
        case 1: {
          const auto mode = static_cast<Insert>(random() % 3);
          const auto result = test.table.update(actor, key.data(), value.data(), mode);
          const int expected = mode == Insert::kNoExist && present            ? EEXIST
                               : mode == Insert::kExist && !present           ? ENOENT
                               : !present && model.size() == kind.max_entries ? E2BIG
                                                                              : 0;
          ASSERT_EQ(result ? 0 : result.error().value, expected) << step;
          if (result) model[key] = value;
          break;
        }
        case 2:
        case 3: {
          Blob taken(kind.value_size);
          const auto result = test.table.erase(actor, key.data(), taken.data());
          ASSERT_EQ(bool(result), present) << step;
          if (present) {
            EXPECT_EQ(taken, model[key]);
            model.erase(key);
          }
          break;
        }
        case 4: {
          Blob found(kind.value_size);
          ASSERT_EQ(test.table.lookup(key.data(), found.data()), present) << step;
          if (present) {
            EXPECT_EQ(found, model[key]);
          }
          break;
        }
        default: {
          const auto mode = static_cast<Insert>(random() % 3);
          const auto result =
              test.table.update_in_place(actor, key.data(), mode, [&](std::byte* at, bool fresh) {
                EXPECT_EQ(fresh, !present);
                if (fresh) {
                  EXPECT_EQ(Blob(at, at + kind.value_size), Blob(kind.value_size));
                }
                std::memcpy(at, value.data(), 8);
              });
          const int expected = mode == Insert::kNoExist && present            ? EEXIST
                               : mode == Insert::kExist && !present           ? ENOENT
                               : !present && model.size() == kind.max_entries ? E2BIG
                                                                              : 0;
          ASSERT_EQ(result ? 0 : result.error().value, expected) << step;
          if (result) {
            model[key].resize(kind.value_size);
            std::memcpy(model[key].data(), value.data(), 8);
          }
        }
      }
      if (step % (steps / 10) == 0) {
        test.expect_clean();
        std::map<Blob, Blob> walked;
        Blob k(kind.key_size), v(kind.value_size);
        for (std::uint32_t cursor = HashTable::kBegin; test.table.next(cursor, k.data(), v.data());) {
          EXPECT_TRUE(walked.emplace(k, v).second);
          EXPECT_EQ(test.table.cursor_of(k.data()), cursor);
        }
        EXPECT_EQ(walked, model);
        EXPECT_EQ(test.table.count(), model.size());
      }
    }
  }
}

class LongKeys : public testing::TestWithParam<std::uint32_t> {};

TEST_P(LongKeys, differ_by_their_last_byte) {
  TableForTest test({GetParam(), 8, 100, true, 7});
  Blob key = blob(GetParam(), 1);
  for (std::uint64_t n = 0; n < 100; ++n) {
    key.back() = static_cast<std::byte>(n);
    ASSERT_TRUE(test.table.update(actor_for_test(), key.data(), &n, Insert::kNoExist));
  }
  for (std::uint64_t n = 0; n < 200; ++n) {
    key.back() = static_cast<std::byte>(n);
    std::uint64_t value = 0;
    ASSERT_EQ(test.table.lookup(key.data(), &value), n < 100);
    if (n < 100) {
      EXPECT_EQ(value, n);
    }
  }
  test.expect_clean();
}

// What a kill leaves behind: elements that may or may not be in a bucket.
TEST_P(LongKeys, elements_in_doubt_are_walked_only_when_a_bucket_refers_to_them) {
  constexpr std::uint32_t kMost = 40, kSlab = kMost + 2;
  const HashTableShape shape{GetParam(), 8, kMost, true, 7};
  TableForTest test(shape, 0);
  for (std::uint64_t n = 0; n < kMost; ++n)
    ASSERT_TRUE(test.table.update(actor_for_test(), blob(GetParam(), n).data(), &n, Insert::kNoExist));
  for (std::uint64_t n = 0; n < kMost; n += 4)
    ASSERT_TRUE(test.table.erase(actor_for_test(), blob(GetParam(), n).data()));
  const std::uint64_t stride = round_up(8 + GetParam(), 8) + 8;
  for (std::uint64_t n = 0; n < kSlab; ++n) {
    auto* element = test.region->at<Element>(HashTable::sizes(shape)->total - (n + 1) * stride);
    const std::uint32_t generation = element->generation.load_relaxed();
    element->generation.store_relaxed((generation | kFilled) & ~kSettled);
  }
  std::set<std::uint64_t> walked;
  Blob key(GetParam());
  std::uint64_t value = 0;
  for (std::uint32_t cursor = HashTable::kBegin; test.table.next(cursor, key.data(), &value);) {
    EXPECT_EQ(key, blob(GetParam(), value));
    EXPECT_TRUE(walked.insert(value).second) << value;
  }
  std::set<std::uint64_t> expected;
  for (std::uint64_t n = 0; n < kMost; ++n)
    if (n % 4 != 0) expected.insert(n);
  EXPECT_EQ(walked, expected);
}
INSTANTIATE_TEST_SUITE_P(Sizes, LongKeys, testing::Values(17u, 512u, 513u, 5000u, 65536u));

// Keys that belong in one bucket of `shape`'s table, found by asking a table that holds a single key where it
// lies.
std::vector<std::uint64_t> keys_of_one_bucket(const HashTableShape& shape, std::size_t wanted) {
  const HashFunction function(shape.seed);
  const auto buckets = (std::uint64_t{shape.max_entries} * 10 + 62) / 63;
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 0; keys.size() < wanted; ++key)
    if ((function.of_word(key) >> 32) * buckets >> 32 == buckets - 2) keys.push_back(key);
  return keys;
}

// Whatever the seed, keys in a row are spread as random ones are: no bucket of a full map gets several times
// its share.
TEST(HashTable, keys_in_a_row_spread_over_the_buckets) {
  constexpr std::uint64_t kKeys = 1008, kBuckets = 160;
  std::mt19937_64 random(11);
  for (int round = 0; round < 1000; ++round) {
    const std::uint64_t seed = random();
    const HashFunction function(seed);
    for (const std::uint64_t step : {1ull, 64ull, 4096ull, 1ull << 32, 1ull << 56 | 1}) {
      std::array<unsigned, kBuckets> keys{};
      for (std::uint64_t n = 0; n < kKeys; ++n) ++keys[(function.of_word(n * step) >> 32) * kBuckets >> 32];
      ASSERT_LE(*std::ranges::max_element(keys), 26u) << "of seed " << seed << " and step " << step;
    }
  }
}

TEST(HashTable, holds_a_full_map_of_keys_that_belong_in_one_bucket) {
  const auto shape = words(3000);
  TableForTest test(shape);
  const auto keys = keys_of_one_bucket(shape, 3200);
  for (std::size_t n = 0; n < 3000; ++n) ASSERT_TRUE(put(test.table, keys[n], n));
  EXPECT_ERRNO(E2BIG, put(test.table, keys[3000], 0));
  for (std::size_t n = 0; n < 3000; ++n) ASSERT_EQ(get(test.table, keys[n]), n);
  for (std::size_t n = 3000; n < 3200; ++n) ASSERT_EQ(get(test.table, keys[n]), ~0ull);
  test.expect_clean();
  for (std::size_t n = 0; n < 3000; n += 2) ASSERT_TRUE(drop(test.table, keys[n]));
  for (std::size_t n = 0; n < 3000; ++n) ASSERT_EQ(get(test.table, keys[n]), n % 2 == 0 ? ~0ull : n);
  test.expect_clean();
  for (std::size_t n = 1; n < 3000; n += 2) ASSERT_TRUE(drop(test.table, keys[n]));
  EXPECT_EQ(test.table.count(), 0u);
  test.expect_clean();
}

TEST(HashTable, a_region_without_a_table_is_refused) {
  auto region = region_for_test(8192, 8192);
  EXPECT_ERRNO(EINVAL, HashTable::attach(*region, 0));
  EXPECT_ERRNO(EINVAL, HashTable::attach(*region, 8192));
  TableForTest test(words(10), 0);
  auto* header = test.region->at<HashHeader>(0);
  header->max_entries = 1'000'000;  // reaches beyond the region
  EXPECT_ERRNO(EINVAL, HashTable::attach(*test.region, 0));
  header->max_entries = 10;
  EXPECT_TRUE(HashTable::attach(*test.region, 0));
}

TEST(HashTable, shapes_that_cannot_be_are_refused) {
  EXPECT_ERRNO(EINVAL, HashTable::sizes({0, 8, 1, true, 0}));
  EXPECT_ERRNO(EINVAL, HashTable::sizes({8, 0, 1, true, 0}));
  EXPECT_ERRNO(EINVAL, HashTable::sizes({8, 12, 1, true, 0}));
  EXPECT_ERRNO(EINVAL, HashTable::sizes({8, 8, 0, true, 0}));
  EXPECT_ERRNO(EINVAL, HashTable::sizes({HashTable::kMaxKeySize + 1, 8, 1, true, 0}));
  EXPECT_ERRNO(EINVAL, HashTable::sizes({0xffff'ffff, 8, 1, true, 0}));
  EXPECT_ERRNO(E2BIG, HashTable::sizes({8, 8, 0xffff'ffff, true, 0}));
  EXPECT_ERRNO(E2BIG, HashTable::sizes({8, 0x8000'0000, 0x8000'0000, true, 0}));
}

TEST(HashTable, a_mebi_of_words_takes_36_megabytes) {
  EXPECT_LE(HashTable::sizes(words(1 << 20))->total, 36'000'000u);
}

std::uint64_t reserved_bytes(const shm::Region& region) {
  struct ::stat status{};
  EXPECT_TRUE(sys::fstat(region.fd(), status));
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

TEST(HashTable, without_preallocation_memory_comes_in_chunks) {
  const auto shape = words(1 << 20, false);
  TableForTest test(shape);
  const std::uint64_t empty = reserved_bytes(*test.region);
  EXPECT_LT(empty, HashTable::sizes(shape)->total / 2);
  for (std::uint64_t key = 0; key < 20'000; ++key) ASSERT_TRUE(put(test.table, key, key));
  EXPECT_GE(reserved_bytes(*test.region), empty + 20'000 * 24 - 65'536);
  EXPECT_LE(reserved_bytes(*test.region), empty + 20'000 * 24 + 2 * 65'536);
}

// Whatever another process writes into the region, calls end, and touch nothing outside it.
TEST(HashTable, a_tampered_region_makes_no_call_run_away) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 30; ++round) {
    TableForTest test(words(50), 0);
    for (std::uint64_t key = 0; key < 50; ++key) ASSERT_TRUE(put(test.table, key, key));
    auto* bytes = test.region->at<std::uint16_t>(0, test.region->size() / 2);
    const std::size_t first = sizeof(HashHeader) / 4;  // behind the shape, which a view has copied
    for (int hits = 0; hits < 200; ++hits)
      bytes[first + random() % (test.region->size() / 2 - first)] = static_cast<std::uint16_t>(random());
    // A lock that says it is held by somebody alive would rightly be waited for.
    const std::size_t lines = (HashTable::sizes(words(50))->total - 52 * 24) / 64;
    for (std::size_t line = 1; line < lines; ++line) *test.region->at<std::uint64_t>(line * 64) = 0;
    for (std::uint64_t key = 0; key < 100; ++key) {
      (void)get(test.table, key);
      (void)put(test.table, key, key);
      (void)drop(test.table, 99 - key);
    }
    std::uint64_t key = 0, value = 0;
    std::uint32_t steps = 0;
    for (std::uint32_t cursor = HashTable::kBegin; test.table.next(cursor, &key, &value);)
      ASSERT_LE(++steps, 52u);
    shm::Findings findings;
    test.table.check("table", findings);
  }
}

}  // namespace
}  // namespace portolan::ds
