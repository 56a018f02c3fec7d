// SPDX-License-Identifier: Apache-2.0
// The typed API, on both backends: the same test, the same results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <portolan/portolan.hpp>
#include <set>
#include <thread>

namespace portolan {
namespace {

using testing::HasSubstr;

struct Flow {
  std::uint32_t from, to;
  std::uint16_t port, protocol;
  friend auto operator<=>(const Flow&, const Flow&) = default;
};
struct Counters {
  std::uint64_t packets = 0, bytes = 0;
  Counters& operator+=(const Counters& other) {
    packets += other.packets;
    bytes += other.bytes;
    return *this;
  }
  friend bool operator==(const Counters&, const Counters&) = default;
};
struct Padded {
  std::uint8_t a;
  std::uint32_t b;
};

static_assert(MapKey<Flow>);
static_assert(!MapKey<Padded>, "a padded key must be refused");
static_assert(!MapKey<float>, "-0.0 and 0.0 are equal but differ as bytes");
static_assert(!MapKey<std::array<std::byte, 513>>);

class TypedApi : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      runtime_ = Runtime::kernel();
      if (auto probe = Array<int>::create(*runtime_, 1); !probe)
        GTEST_SKIP() << "the kernel's BPF is not to be had: " << probe.error().message();
    } else {
      auto opened = Runtime::create_private();
      ASSERT_TRUE(opened) << opened.error().message();
      runtime_ = *opened;
    }
  }
  const Runtime& runtime() const { return *runtime_; }
  std::optional<Runtime> runtime_;
};
INSTANTIATE_TEST_SUITE_P(Backends, TypedApi, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "kernel" : "portolan"; });

TEST_P(TypedApi, an_array_is_zero_at_first_and_keeps_what_is_put_there) {
  auto array = Array<Counters>::create(runtime(), 3, {.name = "counters"});
  ASSERT_TRUE(array) << array.error().message();
  EXPECT_EQ(3u, array->size());
  EXPECT_EQ("counters", array->info().name);
  EXPECT_EQ(Counters{}, array->lookup(2).value());
  ASSERT_TRUE(array->update(2, {7, 700}));
  EXPECT_EQ((Counters{7, 700}), array->lookup(2).value());
  EXPECT_EQ(ENOENT, array->lookup(3).error().code());
  EXPECT_EQ(E2BIG, array->update(3, {}).error().code());
}

TEST_P(TypedApi, a_pointer_into_an_array_sees_updates_and_writes_through) {
  auto array = Array<std::uint64_t>::create(runtime(), 1000, {.flags = kMmapable});
  ASSERT_TRUE(array) << array.error().message();
  std::uint64_t* value = array->find(999);
  ASSERT_NE(nullptr, value);
  ASSERT_TRUE(array->update(999, 5));
  EXPECT_EQ(5u, *value);
  *value = 6;
  EXPECT_EQ(6u, array->lookup(999).value());
  EXPECT_EQ(nullptr, array->find(1000));
}

TEST_P(TypedApi, a_hash_inserts_replaces_finds_erases_and_takes) {
  auto hash = Hash<Flow, Counters>::create(runtime(), 2, {.name = "flows"});
  ASSERT_TRUE(hash) << hash.error().message();
  const Flow one{1, 2, 80, 6}, two{2, 1, 53, 17}, three{3, 3, 3, 3};
  EXPECT_EQ(ENOENT, hash->lookup(one).error().code());
  ASSERT_TRUE(hash->update(one, {1, 60}));
  ASSERT_TRUE(hash->update(two, {2, 120}, Update::kNoExist));
  EXPECT_EQ(EEXIST, hash->update(two, {}, Update::kNoExist).error().code());
  EXPECT_EQ(ENOENT, hash->update(three, {}, Update::kExist).error().code());
  EXPECT_EQ(E2BIG, hash->update(three, {}).error().code());
  ASSERT_TRUE(hash->update(one, {9, 9}));
  EXPECT_EQ((Counters{9, 9}), hash->lookup(one).value());
  EXPECT_EQ((Counters{2, 120}), hash->take(two).value());
  EXPECT_FALSE(hash->contains(two));
  ASSERT_TRUE(hash->erase(one));
  EXPECT_EQ(ENOENT, hash->erase(one).error().code());
}

TEST_P(TypedApi, an_lru_hash_takes_every_insert) {
  auto cache = LruHash<std::uint64_t, std::uint64_t>::create(runtime(), 100);
  ASSERT_TRUE(cache) << cache.error().message();
  for (std::uint64_t key = 0; key < 1000; ++key) {
    ASSERT_TRUE(cache->update(key, key * 2));
    ASSERT_EQ(key * 2, cache->lookup(key).value());
  }
  std::size_t count = 0;
  for (auto [key, value] : *cache) count += value == key * 2;
  EXPECT_GT(count, 0u);
  EXPECT_LE(count, 100u);
}

TEST_P(TypedApi, an_lpm_trie_finds_the_longest_prefix) {
  auto routes = LpmTrie<4, std::uint32_t>::create(runtime(), 3, {.name = "routes"});
  ASSERT_TRUE(routes) << routes.error().message();
  ASSERT_TRUE(routes->update({8, {10, 0, 0, 0}}, 1));
  ASSERT_TRUE(routes->update({24, {10, 1, 2, 0}}, 2));
  EXPECT_EQ(2u, routes->lookup({32, {10, 1, 2, 3}}).value());
  EXPECT_EQ(1u, routes->lookup({32, {10, 1, 3, 3}}).value());
  EXPECT_EQ(ENOENT, routes->lookup({32, {11, 0, 0, 1}}).error().code());
  ASSERT_TRUE(routes->update({0, {0, 0, 0, 0}}, 3));
  EXPECT_EQ(ENOSPC, routes->update({1, {0, 0, 0, 0}}, 3).error().code());
  EXPECT_EQ(EINVAL, routes->update({33, {0, 0, 0, 0}}, 3).error().code());
  std::vector<std::uint32_t> lengths;
  for (auto [prefix, value] : *routes) lengths.push_back(prefix.length);
  EXPECT_EQ((std::vector<std::uint32_t>{24, 8, 0}), lengths);
  ASSERT_TRUE(routes->erase({24, {10, 1, 2, 77}}));
  EXPECT_EQ(1u, routes->lookup({32, {10, 1, 2, 3}}).value());
}

TEST_P(TypedApi, a_queue_gives_the_oldest_and_a_stack_the_newest) {
  auto queue = Queue<std::uint64_t>::create(runtime(), 3);
  auto stack = Stack<std::uint64_t>::create(runtime(), 3);
  ASSERT_TRUE(queue) << queue.error().message();
  ASSERT_TRUE(stack) << stack.error().message();
  EXPECT_EQ(ENOENT, queue->pop().error().code());
  for (std::uint64_t value = 1; value <= 3; ++value) {
    ASSERT_TRUE(queue->push(value));
    ASSERT_TRUE(stack->push(value));
  }
  EXPECT_EQ(E2BIG, queue->push(4).error().code());
  EXPECT_EQ(1u, queue->peek().value());
  ASSERT_TRUE(queue->push(4, true));
  EXPECT_EQ(2u, queue->pop().value());
  EXPECT_EQ(3u, stack->pop().value());
  EXPECT_EQ(2u, stack->peek().value());
  EXPECT_EQ(EINVAL, (Stack<std::uint64_t>::from_fd(runtime(), ::dup(queue->fd())).error().code()));
}

TEST_P(TypedApi, a_bloom_filter_forgets_nothing) {
  auto filter = BloomFilter<std::uint64_t>::create(runtime(), 1000, {.map_extra = 3});
  ASSERT_TRUE(filter) << filter.error().message();
  EXPECT_FALSE(filter->may_contain(1).value());
  for (std::uint64_t value = 0; value < 1000; ++value) ASSERT_TRUE(filter->add(value));
  for (std::uint64_t value = 0; value < 1000; ++value) EXPECT_TRUE(filter->may_contain(value).value());
  int wrong = 0;
  for (std::uint64_t value = 1000; value < 2000; ++value) wrong += filter->may_contain(value).value() ? 1 : 0;
  EXPECT_LT(wrong, 500);
  EXPECT_EQ(EINVAL, (BloomFilter<std::uint64_t>::create(runtime(), 1000, {.map_extra = 16}).error().code()));
}

TEST_P(TypedApi, walking_a_hash_gives_each_element_once) {
  auto hash = Hash<std::uint32_t, std::uint64_t>::create(runtime(), 5000);
  ASSERT_TRUE(hash);
  std::vector<std::uint32_t> keys(5000);
  std::vector<std::uint64_t> values(5000);
  std::iota(keys.begin(), keys.end(), 100u);
  for (std::size_t i = 0; i < keys.size(); ++i) values[i] = keys[i] * 3ull;
  ASSERT_EQ(5000u, hash->update_batch(keys, values).value());
  std::map<std::uint32_t, std::uint64_t> seen;
  for (auto [key, value] : *hash) EXPECT_TRUE(seen.emplace(key, value).second) << key;
  EXPECT_EQ(5000u, seen.size());
  for (auto [key, value] : seen) EXPECT_EQ(key * 3ull, value);
  std::uint64_t sum = 0;
  EXPECT_EQ(5000u, hash->for_each([&](std::uint32_t, std::uint64_t value) { sum += value; }).value());
  EXPECT_EQ(std::accumulate(values.begin(), values.end(), 0ull), sum);
}

TEST_P(TypedApi, batches_walk_take_and_erase) {
  auto hash = Hash<std::uint64_t, std::uint64_t>::create(runtime(), 4096);
  ASSERT_TRUE(hash);
  std::vector<std::uint64_t> keys(4096), values(4096);
  std::iota(keys.begin(), keys.end(), 0u);
  std::iota(values.begin(), values.end(), 1u);
  ASSERT_EQ(4096u, hash->update_batch(keys, values).value());
  ASSERT_EQ(96u, hash->erase_batch(std::span(keys).first(96)).value());
  std::set<std::uint64_t> taken;
  BatchCursor cursor;
  std::vector<std::uint64_t> some_keys(1024), some_values(1024);
  while (!cursor.finished) {
    auto count = hash->take_batch(cursor, some_keys, some_values);
    ASSERT_TRUE(count) << count.error().message();
    for (std::size_t i = 0; i < *count; ++i) {
      EXPECT_EQ(some_keys[i] + 1, some_values[i]);
      taken.insert(some_keys[i]);
    }
  }
  EXPECT_EQ(4000u, taken.size());
  EXPECT_EQ(0u, hash->for_each([](auto, auto) {}).value());
}

TEST_P(TypedApi, an_array_walks_by_index_also_with_a_value_that_is_not_a_multiple_of_eight_bytes) {
  struct Odd {
    std::uint8_t bytes[5];
  };
  auto array = Array<Odd>::create(runtime(), 700);
  ASSERT_TRUE(array) << array.error().message();
  for (std::uint32_t i = 0; i < 700; ++i)
    ASSERT_TRUE(
        array->update(i, Odd{{static_cast<std::uint8_t>(i), 1, 2, 3, static_cast<std::uint8_t>(i >> 8)}}));
  std::uint32_t expected = 0;
  for (auto [index, value] : *array) {
    EXPECT_EQ(expected, index);
    EXPECT_EQ(index, value.bytes[0] + 256u * value.bytes[4]);
    ++expected;
  }
  EXPECT_EQ(700u, expected);
}

TEST_P(TypedApi, per_cpu_maps_have_a_value_for_each_possible_cpu) {
  const std::uint32_t cpus = runtime().possible_cpus();
  auto array = PerCpuArray<std::uint32_t>::create(runtime(), 4);
  auto hash = PerCpuHash<Flow, Counters>::create(runtime(), 4);
  ASSERT_TRUE(array) << array.error().message();
  ASSERT_TRUE(hash) << hash.error().message();
  std::vector<std::uint32_t> values(cpus);
  std::iota(values.begin(), values.end(), 10u);
  ASSERT_TRUE(array->update(1, values));
  EXPECT_EQ(values, array->lookup(1).value());
  EXPECT_EQ(std::accumulate(values.begin(), values.end(), 0u), array->sum(1).value());
  EXPECT_EQ(EINVAL, array->update(1, std::vector<std::uint32_t>(cpus + 1)).error().code());
  const Flow flow{1, 2, 3, 4};
  ASSERT_TRUE(hash->update_all(flow, {1, 10}));
  EXPECT_EQ((Counters{cpus, 10ull * cpus}), hash->sum(flow).value());
  std::size_t visited = 0;
  ASSERT_TRUE(hash->for_each([&](const Flow& key, const std::vector<Counters>& all) {
    EXPECT_EQ(flow, key);
    EXPECT_EQ(cpus, all.size());
    ++visited;
  }));
  EXPECT_EQ(1u, visited);
  ASSERT_TRUE(hash->erase(flow));
  EXPECT_EQ(ENOENT, hash->sum(flow).error().code());
}

TEST_P(TypedApi, a_frozen_map_takes_no_update) {
  auto array = Array<int>::create(runtime(), 1);
  auto hash = Hash<int, int>::create(runtime(), 1);
  ASSERT_TRUE(array && hash);
  ASSERT_TRUE(array->freeze());
  ASSERT_TRUE(hash->freeze());
  EXPECT_EQ(EPERM, array->update(0, 1).error().code());
  EXPECT_EQ(EPERM, hash->update(0, 1).error().code());
  EXPECT_EQ(EPERM, hash->erase(0).error().code());
  EXPECT_EQ(0, array->lookup(0).value());
  EXPECT_EQ(EPERM, array->freeze().error().code());  // a second time, as on Linux
}

TEST_P(TypedApi, errors_say_what_was_wrong) {
  auto none = Array<int>::create(runtime(), 0);
  ASSERT_FALSE(none);
  EXPECT_EQ(EINVAL, none.error().code());
  auto named = Array<int>::create(runtime(), 1, {.name = "a name of more than fifteen characters"});
  ASSERT_FALSE(named);
  EXPECT_THAT(named.error().message(), HasSubstr("longer than 15"));
  auto hash = Hash<int, int>::create(runtime(), 1);
  ASSERT_TRUE(hash);
  EXPECT_THAT(hash->lookup(1).error().message(), HasSubstr("not in the map (ENOENT)"));
  auto other = Hash<std::uint64_t, int>::from_fd(runtime(), ::dup(hash->fd()));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("key_size is 4, the C++ type wants 8"));
  std::byte small[2];
  EXPECT_THAT(hash->raw().lookup(small, small).error().message(),
              HasSubstr("the key has 2 bytes, the map wants 4"));
}

TEST_P(TypedApi, an_fd_of_another_process_or_a_dup_names_the_same_map) {
  auto hash = Hash<int, int>::create(runtime(), 10);
  ASSERT_TRUE(hash);
  auto second = Hash<int, int>::from_fd(runtime(), ::dup(hash->fd()));
  ASSERT_TRUE(second) << second.error().message();
  ASSERT_TRUE(second->update(1, 2));
  EXPECT_EQ(2, hash->lookup(1).value());
  EXPECT_EQ(hash->info().id, second->info().id);
}

TEST(PortolanRuntime, a_map_pinned_in_a_shared_directory_is_found_by_a_second_opener) {
  auto first = Runtime::create_private();
  ASSERT_TRUE(first) << first.error().message();
  auto hash = Hash<int, int>::create(*first, 10);
  ASSERT_TRUE(hash);
  ASSERT_TRUE(hash->pin("/sys/fs/bpf/numbers"));
  auto second = Runtime::open(first->directory());
  ASSERT_TRUE(second) << second.error().message();
  auto same = Hash<int, int>::open_pinned(*second, "/sys/fs/bpf/numbers");
  ASSERT_TRUE(same) << same.error().message();
  std::thread writer([&] {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(hash->update(i, -i));
  });
  writer.join();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(-i, same->lookup(i).value());
  EXPECT_EQ(EEXIST, hash->pin("/sys/fs/bpf/numbers").error().code());
  EXPECT_EQ(EPERM, hash->pin("/tmp/numbers").error().code());
  EXPECT_EQ(ENOENT, (Hash<int, int>::open_pinned(*second, "/sys/fs/bpf/nothing").error().code()));
}

TEST(PortolanRuntime, kernel_types_are_those_that_are_asked_for) {
  const auto ours = Runtime::create_private({.kernel_btf = "builtin"});
  ASSERT_TRUE(ours);
  const std::string file = ours->directory() + "/kernel.btf";
  EXPECT_TRUE(Runtime::create_private({.kernel_btf = file}));
  EXPECT_TRUE(Runtime::open(ours->directory(), {.kernel_btf = file}));
  const auto bad = Runtime::create_private({.kernel_btf = ours->directory() + "/control"});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("/control"), std::string::npos) << bad.error().message();
}

TEST(PortolanRuntime, a_directory_that_cannot_be_is_refused_with_its_name) {
  auto runtime = Runtime::open("/proc/no/such/place");
  ASSERT_FALSE(runtime);
  EXPECT_THAT(runtime.error().message(), HasSubstr("/proc/no/such/place"));
}

}  // namespace
}  // namespace portolan
