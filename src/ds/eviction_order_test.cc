// SPDX-License-Identifier: Apache-2.0
#include "ds/eviction_order.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>
#include <vector>

#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

HashTableShape evicting(std::uint32_t max_entries, std::uint32_t key_size = 8, std::uint32_t value_size = 8) {
  return {key_size, value_size, max_entries, true, 0x1234, true};
}

struct Cache : TableForTest {
  using TableForTest::TableForTest;
  bool put(std::uint64_t key, std::uint64_t thread = 1) {
    const std::uint64_t value = key * 3;
    return table.update(actor_for_test(thread), &key, &value, Insert::kAny).has_value();
  }
  bool has(std::uint64_t key) const { return table.find(&key) != nullptr; }
  bool look_up(std::uint64_t key) const { return table.find_and_keep(&key) != nullptr; }
};

TEST(EvictionOrder, any_bytes_are_an_order) {
  std::mt19937_64 random(1);
  for (const std::uint32_t slots : {1u, 2u, 7u, 8u, 9u, 100u, 1000u}) {
    const EvictionOrder::Shape shape{slots, 3};
    std::vector<std::uint64_t> words(EvictionOrder::size(shape) / 8 + 8);
    for (auto& word : words) word = random();
    auto* const begin =
        reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(words.data()), 64));
    const auto order = EvictionOrder::attach(Bytes(begin, EvictionOrder::size(shape)), shape);
    ASSERT_TRUE(order);
    for (int round = 0; round < 300; ++round) {
      const auto hand = static_cast<std::uint32_t>(round % 3);
      const std::uint32_t likely = order->likely_victim(hand);
      EXPECT_TRUE(likely < slots || likely == EvictionOrder::kNone);
      EXPECT_LT(order->next_victim(hand), slots);
      order->note_insert(hand, static_cast<std::uint32_t>(random() % slots), random());
      order->note_replace(static_cast<std::uint32_t>(random() % slots),
                          static_cast<std::uint32_t>(random() % slots));
      order->note_evicted(random());
    }
  }
}

TEST(EvictionOrder, too_few_bytes_are_einval) {
  alignas(64) std::byte bytes[1024] = {};
  const EvictionOrder::Shape ten{10};
  EXPECT_FALSE(EvictionOrder::attach(Bytes(bytes, EvictionOrder::size(ten) - 1), ten));
  EXPECT_FALSE(EvictionOrder::attach(Bytes(bytes + 8, EvictionOrder::size(ten)), ten));
  EXPECT_FALSE(EvictionOrder::attach(Bytes(bytes, 1024), {0}));
  EXPECT_FALSE(EvictionOrder::attach(Bytes(bytes, 1024), {10, 0}));
}

TEST(EvictingTable, holds_exactly_max_entries_and_no_insert_fails) {
  for (const std::uint32_t most : {1u, 2u, 3u, 10u, 63u, 64u, 500u}) {
    Cache cache(evicting(most));
    for (std::uint64_t key = 0; key < 5 * most + 20; ++key) {
      ASSERT_TRUE(cache.put(key));
      ASSERT_TRUE(cache.has(key));
      if (most < 20 || key % 16 == 0) {
        ASSERT_EQ(cache.table.count(), std::min<std::uint64_t>(key + 1, most)) << most;
      }
    }
    cache.expect_clean();
  }
}

TEST(EvictingTable, erased_elements_are_used_before_others_are_given_up) {
  Cache cache(evicting(200));
  for (std::uint64_t key = 0; key < 200; ++key) ASSERT_TRUE(cache.put(key, key));
  for (std::uint64_t key = 0; key < 60; ++key) ASSERT_TRUE(cache.table.erase(actor_for_test(key), &key));
  for (std::uint64_t key = 1000; key < 1060; ++key) ASSERT_TRUE(cache.put(key, 7));
  EXPECT_EQ(cache.table.count(), 200u);
  for (std::uint64_t key = 60; key < 200; ++key) EXPECT_TRUE(cache.has(key));
  cache.expect_clean();
}

TEST(EvictingTable, keys_that_were_looked_up_outlive_those_that_were_not) {
  for (const std::uint32_t most : {2u, 4u, 10u, 100u, 1000u}) {
    Cache cache(evicting(most));
    for (std::uint64_t key = 0; key < most; ++key) ASSERT_TRUE(cache.put(key));
    for (std::uint64_t key = 0; key < most; key += 2) ASSERT_TRUE(cache.look_up(key));
    for (std::uint64_t key = 0; key < most / 2; ++key) ASSERT_TRUE(cache.put(10000 + key));
    for (std::uint64_t key = 0; key < most; ++key) EXPECT_EQ(cache.has(key), key % 2 == 0) << key;
    cache.expect_clean();
  }
}

TEST(EvictingTable, keys_that_are_all_in_use_still_make_room) {
  for (const std::uint32_t most : {1u, 2u, 3u, 12u, 40u}) {
    Cache cache(evicting(most));
    for (std::uint64_t key = 0; key < 20 * most; ++key) {
      ASSERT_TRUE(cache.put(key, key)) << most;
      for (std::uint64_t used = 0; used <= key; ++used) (void)cache.look_up(used);
    }
    EXPECT_EQ(cache.table.count(), most);
    cache.expect_clean();
  }
}

TEST(EvictingTable, an_update_keeps_a_key_as_a_lookup_does) {
  Cache cache(evicting(100));
  for (std::uint64_t key = 0; key < 100; ++key) ASSERT_TRUE(cache.put(key));
  for (std::uint64_t key = 0; key < 100; key += 2) ASSERT_TRUE(cache.put(key));
  for (std::uint64_t key = 0; key < 50; ++key) ASSERT_TRUE(cache.put(10000 + key));
  for (std::uint64_t key = 0; key < 100; ++key) EXPECT_EQ(cache.has(key), key % 2 == 0) << key;
}

TEST(EvictingTable, keys_in_use_outlive_a_scan) {
  Cache cache(evicting(1000));
  for (std::uint64_t key = 0; key < 500; ++key) ASSERT_TRUE(cache.put(key));
  for (std::uint64_t key = 0; key < 500; ++key) ASSERT_TRUE(cache.look_up(key));
  for (std::uint64_t key = 0; key < 20000; ++key) ASSERT_TRUE(cache.put(100000 + key));
  std::uint64_t left = 0;
  for (std::uint64_t key = 0; key < 500; ++key) left += cache.has(key);
  EXPECT_EQ(left, 500u);
}

TEST(EvictingTable, keys_nobody_uses_any_more_make_room_in_the_end) {
  Cache cache(evicting(1000));
  for (std::uint64_t key = 0; key < 1000; ++key) ASSERT_TRUE(cache.put(key));
  for (std::uint64_t key = 0; key < 1000; ++key) ASSERT_TRUE(cache.look_up(key));
  // Others are in use now, more than fit beside them.
  for (int round = 0; round < 20; ++round)
    for (std::uint64_t key = 0; key < 900; ++key)
      ASSERT_TRUE(cache.look_up(5000 + key) || cache.put(5000 + key));
  std::uint64_t left = 0;
  for (std::uint64_t key = 0; key < 900; ++key) left += cache.has(5000 + key);
  EXPECT_GT(left, 850u);
}

TEST(EvictingTable, many_threads_insert_and_look_up_at_once) {
  Cache cache(evicting(300));
  sync::Atomic<std::uint64_t> wrong;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 1; thread <= 4; ++thread)
    threads.emplace_back([&, thread] {
      std::mt19937_64 random(thread);
      for (int step = 0; step < 15000; ++step) {
        const std::uint64_t key = random() % 1000;
        std::uint64_t value = 0;
        if (cache.table.lookup_and_keep(&key, &value)) {
          wrong.fetch_add_relaxed(value != key * 3);
        } else if (random() % 16 == 0) {
          (void)cache.table.erase(actor_for_test(thread), &key);
        } else {
          wrong.fetch_add_relaxed(!cache.put(key, thread));
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load_relaxed(), 0u);
  for (std::uint64_t key = 5000; key < 5300; ++key) ASSERT_TRUE(cache.put(key));
  EXPECT_EQ(cache.table.count(), 300u);
  cache.expect_clean();
}

TEST(EvictingTable, long_keys_and_values_in_place_are_evicted_too) {
  Cache cache(evicting(50, 40, 64));
  std::byte key[40] = {};
  for (std::uint64_t number = 0; number < 500; ++number) {
    std::memcpy(key, &number, sizeof number);
    ASSERT_TRUE(cache.table.update_in_place(actor_for_test(), key, Insert::kAny, [&](std::byte* value, bool) {
      std::memcpy(value, &number, sizeof number);
    }));
    ASSERT_NE(cache.table.find(key), nullptr);
    EXPECT_EQ(cache.table.count(), std::min<std::uint64_t>(number + 1, 50));
  }
  cache.expect_clean();
}

}  // namespace
}  // namespace portolan::ds
