// SPDX-License-Identifier: Apache-2.0
// LRU_HASH, LRU_PERCPU_HASH: what is the same wherever the kernel has not begun to give up keys.
#include "cases.h"

namespace portolan::conformance {
namespace {

class Lru : public Case {
 protected:
  std::uint32_t max_entries(int fd) {
    Data details(88);
    EXPECT_ANSWER(0, info(fd, &details));
    return load_unaligned<std::uint32_t>(details.data() + 16);
  }
};
ON_BOTH_BACKENDS(Lru);

TEST_P(Lru, what_may_be_created) {
  for (const std::uint32_t type : {kLruHash, kLruPerCpuHash}) {
    const bool per_cpu = type == kLruPerCpuHash;
    SCOPED_TRACE(map_type_name(type));
    EXPECT_ANSWER(0, std::min(create({type, 4, 8, 10, 0}), 0l));
    for (const std::uint32_t flags : {kNoCommonLru, kZeroSeed, kReadOnly, kWriteOnly, kReadOnlyProg})
      EXPECT_ANSWER(0, std::min(create({type, 4, 8, 10, flags}), 0l));
    EXPECT_ANSWER(-524, create({type, 4, 8, 10, kNoPrealloc}));
    EXPECT_ANSWER(-524, create({type, 4, 8, 10, kNoPrealloc | kNoCommonLru}));
    EXPECT_ANSWER(-EINVAL, create({type, 4, 8, 10, kMmapable}));
    EXPECT_ANSWER(-EINVAL, create({type, 4, 8, 10, kInnerMap}));
    const auto on_node_0 = [](Attr& attr) { attr.set(create::kNumaNode, 0); };
    EXPECT_ANSWER(per_cpu ? -EINVAL : 0, std::min(create({type, 4, 8, 10, kNumaNode}, on_node_0), 0l));
    EXPECT_ANSWER(-EINVAL, create({type, 4, 8, 10, kNumaNode | kNoCommonLru}, on_node_0));
    EXPECT_ANSWER(-EINVAL, create({type, 0, 8, 10, 0}));
    EXPECT_ANSWER(-EINVAL, create({type, 4, 0, 10, 0}));
    EXPECT_ANSWER(-EINVAL, create({type, 4, 8, 0, 0}));
    EXPECT_ANSWER(-E2BIG, create({type, 4, 1u << 22, 1, 0}));
    EXPECT_ANSWER(per_cpu ? -E2BIG : 0, std::min(create({type, 4, 32769, 10, 0}), 0l));
    EXPECT_ANSWER(-E2BIG, create({type, 4, 8, ~0u, 0}));
  }
  for (const std::uint32_t type : {kHash, kPerCpuHash})
    EXPECT_ANSWER(-EINVAL, create({type, 4, 8, 10, kNoCommonLru}));
}

TEST_P(Lru, with_a_list_for_each_cpu_the_size_is_rounded_up) {
  const std::uint32_t cpus = possible_cpus();
  for (const std::uint32_t type : {kLruHash, kLruPerCpuHash}) {
    EXPECT_EQ(max_entries(map({type, 4, 8, 7, 0})), 7u);
    EXPECT_EQ(max_entries(map({type, 4, 8, 7, kNoCommonLru})), (7 + cpus - 1) / cpus * cpus);
    EXPECT_EQ(max_entries(map({type, 4, 8, 16 * cpus, kNoCommonLru})), 16 * cpus);
  }
}

TEST_P(Lru, a_lock_cannot_be_asked_for) {
  const int fd = map({kLruHash, 4, 8, 100, 0});
  EXPECT_ANSWER(-EINVAL, update(fd, number32(1), number64(1), 4));
  EXPECT_ANSWER(0, update(fd, number32(1), number64(1)));
  Data value(8);
  EXPECT_ANSWER(-EINVAL, lookup(fd, number32(1), &value, 4));
  EXPECT_ANSWER(0, take(fd, number32(1), &value));
  EXPECT_EQ(number64(1), value);
}

TEST_P(Lru, no_insert_fails_however_many_there_are) {
  for (const std::uint32_t type : {kLruHash, kLruPerCpuHash})
    for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(kNoCommonLru)}) {
      const int fd = map({type, 4, 8, 64, flags});
      const std::size_t size = type == kLruHash ? 8 : 8 * possible_cpus();
      for (std::uint32_t key = 0; key < 1000; ++key) {
        ASSERT_ANSWER(0, update(fd, number32(key), repeated(size, key & 0xff), 1));
        Data value(size);
        ASSERT_ANSWER(0, lookup(fd, number32(key), &value));
        ASSERT_EQ(repeated(size, key & 0xff), value);
      }
      std::uint32_t count = 0;
      Data at, following(4);
      const Data* from = nullptr;
      while (next(fd, from, &following) == 0 && count <= 64) {
        ++count;
        at = following;
        from = &at;
      }
      EXPECT_GT(count, 0u);
      EXPECT_LE(count, 64u);
    }
}

}  // namespace
}  // namespace portolan::conformance
