// SPDX-License-Identifier: Apache-2.0
// Threads read while others write: what is always there is never missed, and no value mixes two updates.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "ds/hash_function.h"
#include "ds/table_for_test.h"
#include "stress.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kSeed = 17;
constexpr std::uint64_t kSteady = 150;    // keys that are replaced all the time, and never absent
constexpr std::uint64_t kStill = 50;      // keys that nobody touches
constexpr std::uint64_t kFleeting = 200;  // keys that come and go; only half of them fit

struct Kind {
  const char* name;
  std::uint32_t key_size, value_size;
  bool one_bucket;
};

class Churn : public testing::TestWithParam<Kind> {
 protected:
  static constexpr std::uint32_t kMost = kSteady + kStill + kFleeting / 2;

  Churn() : kind_(GetParam()), test_({kind_.key_size, kind_.value_size, kMost, true, kSeed}) {
    const HashFunction function(kSeed);
    const std::uint64_t buckets = (std::uint64_t{kMost} * 10 + 62) / 63;
    for (std::uint64_t number = 0; numbers_.size() < kSteady + kStill + kFleeting; ++number)
      if (!kind_.one_bucket || (function.of_word(number) >> 32) * buckets >> 32 >= buckets - 2)
        numbers_.push_back(number);
  }

  std::vector<std::byte> key(std::uint64_t n) const {
    std::vector<std::byte> bytes(kind_.key_size);
    for (std::size_t at = 0; at < bytes.size(); at += 8)
      std::memcpy(bytes.data() + at, &numbers_[n], std::min<std::size_t>(8, bytes.size() - at));
    return bytes;
  }
  // Each word of a value says whose it is and which update wrote it.
  std::vector<std::uint64_t> value(std::uint64_t n, std::uint64_t version) const {
    std::vector<std::uint64_t> words(kind_.value_size / 8);
    for (std::size_t at = 0; at < words.size(); ++at) words[at] = n << 40 | (version + at) % (1 << 30);
    return words;
  }
  bool is_whole(std::uint64_t n, const std::vector<std::uint64_t>& words) const {
    return words == value(n, words[0] % (1 << 30));
  }

  void write(std::uint32_t thread) {
    std::mt19937_64 random(thread);
    const auto actor = actor_for_test(10 + thread);
    for (std::uint64_t version = 1; !stop_.load(std::memory_order_relaxed); ++version) {
      const std::uint64_t steady = random() % kSteady;
      if (!test_.table.update(actor, key(steady).data(), value(steady, version % (1 << 30)).data(),
                              Insert::kAny)) {
        ADD_FAILURE() << "a key that was there could not be replaced";
        return;
      }
      const std::uint64_t fleeting = kSteady + kStill + random() % kFleeting;
      if (random() % 2 == 0) {
        (void)test_.table.update(actor, key(fleeting).data(), value(fleeting, version).data(), Insert::kAny);
      } else {
        (void)test_.table.erase(actor, key(fleeting).data());
      }
    }
  }

  void read(std::uint32_t thread, std::uint64_t times) {
    std::mt19937_64 random(1000 + thread);
    std::vector<std::uint64_t> words(kind_.value_size / 8);
    for (; times != 0 && !HasFailure(); --times) {
      const std::uint64_t n = random() % numbers_.size();
      if (test_.table.lookup(key(n).data(), words.data())) {
        EXPECT_TRUE(is_whole(n, words)) << "key " << n << " shows " << std::hex << words[0];
      } else {
        EXPECT_GE(n, kSteady + kStill) << "was missed";
      }
    }
  }

  void walk() {
    std::vector<std::byte> found(kind_.key_size);
    std::vector<std::uint64_t> words(kind_.value_size / 8);
    while (!stop_.load(std::memory_order_relaxed) && !HasFailure()) {
      std::multiset<std::uint64_t> still;
      for (std::uint32_t cursor = HashTable::kBegin; test_.table.next(cursor, found.data(), words.data());) {
        const std::uint64_t n = words[0] >> 40;
        if (n >= numbers_.size() || found != key(n) || !is_whole(n, words)) {
          ADD_FAILURE() << "the walk shows " << std::hex << words[0];
          return;
        }
        if (n >= kSteady && n < kSteady + kStill) still.insert(n);
      }
      EXPECT_EQ(still.size(), kStill);
      EXPECT_EQ(std::set<std::uint64_t>(still.begin(), still.end()).size(), kStill);
    }
  }

  const Kind kind_;
  TableForTest test_;
  std::vector<std::uint64_t> numbers_;
  std::atomic<bool> stop_{false};
};

TEST_P(Churn, what_is_there_is_never_missed_and_never_mixed) {
  for (std::uint64_t n = 0; n < kSteady + kStill; ++n)
    ASSERT_TRUE(test_.table.update(actor_for_test(), key(n).data(), value(n, 1).data(), Insert::kAny));
  std::vector<std::thread> writers, readers;
  for (std::uint32_t thread = 0; thread < 2; ++thread)
    writers.emplace_back([this, thread] { write(thread); });
  std::thread walker([this] { walk(); });
  for (std::uint32_t thread = 0; thread < 2; ++thread)
    readers.emplace_back(
        [this, thread] { read(thread, stress::rounds(kind_.value_size > 1000 ? 50'000 : 1'000'000)); });
  for (auto& reader : readers) reader.join();
  stop_ = true;
  for (auto& writer : writers) writer.join();
  walker.join();
  test_.expect_clean();
}

INSTANTIATE_TEST_SUITE_P(HashTable, Churn,
                         testing::Values(Kind{"words", 8, 8, false}, Kind{"words_of_two_buckets", 8, 8, true},
                                         Kind{"small_keys", 4, 16, false}, Kind{"pairs", 16, 32, false},
                                         Kind{"odd_keys", 21, 40, false},
                                         Kind{"large_values", 8, 4096, false}),
                         [](const auto& at) { return at.param.name; });

}  // namespace
}  // namespace portolan::ds
