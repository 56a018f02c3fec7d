// SPDX-License-Identifier: Apache-2.0
// RHASH beside HASH: what its documentation says is different, and that all else is not.
#include <random>
#include <set>

#include "map/kernel_version.h"
#include "map/map.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using abi::MapType;
using enum abi::Command;
using namespace abi::map_flag;
namespace flag = abi::element_flag;

class Rhash : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    open({.kernel_version = map::kernel_version(7, 1)});
  }
  long rhash(std::uint32_t max_entries) {
    return create({.type = MapType::kRhash, .max_entries = max_entries, .flags = kNoPrealloc});
  }
  struct Batch {
    long result;
    std::set<std::uint32_t> keys;
    std::uint32_t next;
  };
  Batch batch(abi::Command command, long fd, const std::uint32_t* from, std::uint32_t count) {
    std::vector<std::uint32_t> keys(count);
    std::vector<std::uint64_t> values(count);
    Batch seen{0, {}, 0xcccc'cccc};
    abi::Attr attr{};
    attr.batch.map_fd = static_cast<std::uint32_t>(fd);
    attr.batch.in_batch = address(from);
    attr.batch.out_batch = address(&seen.next);
    attr.batch.keys = address(keys.data());
    attr.batch.values = address(values.data());
    attr.batch.count = count;
    seen.result = bpf(*runtime_, caller_, static_cast<int>(command), address(&attr), sizeof attr);
    for (std::uint32_t n = 0; n < attr.batch.count && n < count; ++n) {
      EXPECT_EQ(values[n], keys[n] * 7u);
      EXPECT_TRUE(seen.keys.insert(keys[n]).second);
    }
    return seen;
  }
};

TEST_F(Rhash, is_unknown_to_kernels_before_7_1) {
  open({.kernel_version = map::kernel_version(7, 0)});
  EXPECT_EQ(rhash(8), -EINVAL);
}

TEST_F(Rhash, creation) {
  const Shape good{.type = MapType::kRhash, .max_entries = 100, .flags = kNoPrealloc};
  EXPECT_GE(create(good), 0);
  const auto with = [&](auto change) {
    Shape shape = good;
    change(shape);
    return create(shape);
  };
  EXPECT_EQ(with([](Shape& shape) { shape.flags = 0; }), -EINVAL);
  EXPECT_EQ(with([](Shape& shape) { shape.flags |= kZeroSeed; }), -EINVAL);
  EXPECT_EQ(with([](Shape& shape) { shape.flags |= kNoCommonLru; }), -EINVAL);
  EXPECT_EQ(with([](Shape& shape) { shape.key_size = 65536; }), -E2BIG);
  EXPECT_EQ(with([](Shape& shape) { shape.key_size = 0; }), -EINVAL);
  EXPECT_EQ(with([](Shape& shape) { shape.max_entries = 0; }), -EINVAL);
  EXPECT_GE(with([](Shape& shape) { shape.extra = 100; }), 0);
  EXPECT_EQ(with([](Shape& shape) { shape.extra = 101; }), -EINVAL);
  EXPECT_EQ(with([](Shape& shape) { shape.extra = 65536; }), -E2BIG);
  EXPECT_EQ(with([](Shape& shape) { shape.extra = 1ull << 32; }), -EINVAL);
}

TEST_F(Rhash, an_update_writes_over_the_value_where_it_lies) {
  const std::uint32_t key = 3;
  const std::uint64_t first = 1, second = 2;
  for (const bool is_rhash : {true, false}) {
    const long fd = is_rhash ? rhash(8) : create({.type = MapType::kHash, .flags = kNoPrealloc});
    auto target = runtime_->target_of_fd(static_cast<int>(fd), object::Kind::kMap);
    ASSERT_TRUE(target);
    auto* map = static_cast<map::Map*>(target->view);
    ASSERT_EQ(element(kMapUpdateElem, fd, &key, &first), 0);
    alignas(8) std::byte bytes[8] = {std::byte{3}};
    const std::byte* at = map->lookup_elem(bytes, 0);
    ASSERT_NE(at, nullptr);
    ASSERT_EQ(element(kMapUpdateElem, fd, &key, &second), 0);
    EXPECT_EQ(map->lookup_elem(bytes, 0) == at, is_rhash);
    EXPECT_EQ(load_unaligned<std::uint64_t>(at), is_rhash ? second : first);
  }
}

TEST_F(Rhash, random_operations_end_as_those_of_a_hash) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    const std::uint32_t most = 1 + static_cast<std::uint32_t>(random() % 50);
    const long fds[] = {rhash(most),
                        create({.type = MapType::kHash, .max_entries = most, .flags = kNoPrealloc})};
    for (int step = 0; step < 2000; ++step) {
      const std::uint32_t key = static_cast<std::uint32_t>(random() % (most + most / 4 + 2));
      const std::uint64_t value = random(), flags = random() % 5;
      const auto command = std::vector{kMapUpdateElem, kMapUpdateElem, kMapDeleteElem, kMapLookupElem,
                                       kMapLookupAndDeleteElem}[random() % 5];
      long results[2];
      std::uint64_t values[2] = {value, value};
      for (int i = 0; i < 2; ++i)
        results[i] = element(command, fds[i], &key, &values[i],
                             command == kMapUpdateElem                 ? flags
                             : command == kMapLookupElem && flags == 4 ? 8
                                                                       : 0);
      ASSERT_EQ(results[0], results[1]) << static_cast<int>(command) << " flags " << flags;
      ASSERT_EQ(values[0], values[1]);
    }
  }
}

TEST_F(Rhash, batches_go_on_at_a_key) {
  const long fd = rhash(100);
  for (std::uint32_t key = 0; key < 25; ++key) {
    const std::uint64_t value = key * 7;
    ASSERT_EQ(element(kMapUpdateElem, fd, &key, &value), 0);
  }
  std::set<std::uint32_t> seen;
  std::uint32_t from = 0;
  const std::uint32_t* start = nullptr;
  for (int step = 0;; ++step) {
    const Batch part = batch(kMapLookupBatch, fd, start, 10);
    seen.insert(part.keys.begin(), part.keys.end());
    EXPECT_EQ(part.result, step < 2 ? 0 : -ENOENT);
    EXPECT_EQ(part.keys.size(), step < 2 ? 10u : 5u);
    if (part.result != 0) break;
    from = part.next;
    start = &from;
  }
  EXPECT_EQ(seen.size(), 25u);
  const std::uint32_t absent = 1000;
  EXPECT_EQ(batch(kMapLookupBatch, fd, &absent, 10).result, -EAGAIN);
  const Batch taken = batch(kMapLookupAndDeleteBatch, fd, nullptr, 100);
  EXPECT_EQ(taken.result, -ENOENT);
  EXPECT_EQ(taken.keys, seen);
  EXPECT_EQ(batch(kMapLookupBatch, fd, nullptr, 10).result, -ENOENT);
}

TEST_F(Rhash, is_full_at_max_entries) {
  const long fd = rhash(3);
  const std::uint64_t value = 1;
  for (std::uint32_t key = 0; key < 3; ++key) ASSERT_EQ(element(kMapUpdateElem, fd, &key, &value), 0);
  const std::uint32_t more = 3, there = 1;
  EXPECT_EQ(element(kMapUpdateElem, fd, &more, &value), -E2BIG);
  EXPECT_EQ(element(kMapUpdateElem, fd, &there, &value), 0);
}

}  // namespace
}  // namespace portolan::syscall
