// SPDX-License-Identifier: Apache-2.0
#include "ds/bounded_ring.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <deque>
#include <random>
#include <vector>

#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

using End = BoundedRing::End;
using WhenFull = BoundedRing::WhenFull;

struct Ring {
  explicit Ring(BoundedRing::Shape shape)
      : words(BoundedRing::size(shape).value() / 8 + 1),
        ring(*BoundedRing::attach({reinterpret_cast<std::byte*>(words.data()), words.size() * 8}, shape)) {}
  bool push(std::uint64_t value, WhenFull when_full = WhenFull::kRefuse) {
    return bool(ring.push(actor, reinterpret_cast<const std::byte*>(&value), when_full));
  }
  std::int64_t pop(End end) {
    std::uint64_t value = 0;
    return ring.pop(actor, reinterpret_cast<std::byte*>(&value), end) ? static_cast<std::int64_t>(value) : -1;
  }
  std::int64_t peek(End end) {
    std::uint64_t value = 0;
    return ring.peek(actor, reinterpret_cast<std::byte*>(&value), end) ? static_cast<std::int64_t>(value)
                                                                       : -1;
  }
  std::vector<std::uint64_t> words;
  BoundedRing ring;
  sync::Actor actor = actor_for_test();
};

TEST(BoundedRing, behaves_like_a_deque_under_random_use) {
  for (std::uint32_t max_entries : {1u, 2u, 3u, 7u, 64u}) {
    Ring test({8, max_entries});
    std::deque<std::int64_t> model;
    std::mt19937_64 random(max_entries);
    for (std::int64_t step = 0; step < 5000; ++step) {
      const bool is_full = model.size() == max_entries;
      switch (random() % 5) {
        case 0:
        case 1:
          EXPECT_EQ(test.push(static_cast<std::uint64_t>(step)), !is_full);
          if (!is_full) model.push_back(step);
          break;
        case 2:
          EXPECT_TRUE(test.push(static_cast<std::uint64_t>(step), WhenFull::kDropOldest));
          if (is_full) model.pop_front();
          model.push_back(step);
          break;
        default: {
          const End end = random() % 2 == 0 ? End::kOldest : End::kNewest;
          const std::int64_t expected = model.empty()         ? -1
                                        : end == End::kOldest ? model.front()
                                                              : model.back();
          EXPECT_EQ(test.peek(end), expected);
          EXPECT_EQ(test.pop(end), expected);
          if (!model.empty()) end == End::kOldest ? model.pop_front() : model.pop_back();
        }
      }
      EXPECT_EQ(test.ring.count(), model.size());
    }
  }
}

TEST(BoundedRing, memory_that_is_too_short_or_odd_is_refused) {
  std::vector<std::uint64_t> words(100);
  const auto bytes = [&](std::size_t size) {
    return Bytes{reinterpret_cast<std::byte*>(words.data()), size};
  };
  const std::uint64_t size = BoundedRing::size({12, 4}).value();
  EXPECT_EQ(size, 64u + 5 * 16);
  EXPECT_TRUE(BoundedRing::attach(bytes(size), {12, 4}));
  EXPECT_FALSE(BoundedRing::attach(bytes(size - 1), {12, 4}));
  EXPECT_FALSE(BoundedRing::attach(bytes(size + 1).subspan(1), {12, 4}));
  EXPECT_FALSE(BoundedRing::size({0, 4}));
  EXPECT_FALSE(BoundedRing::size({8, 0}));
}

// Whatever lies where the extent is, nothing outside is touched (ASan looks on), and fsck says so.
TEST(BoundedRing, nonsense_in_the_region_stays_inside) {
  for (std::uint64_t nonsense : {~0ull, 4ull << 32, 3ull << 32 | 4, 1ull << 63, 0xffff'ffffull}) {
    Ring test({8, 3});
    test.words[1] = nonsense;
    shm::Findings findings;
    test.ring.check("ring", findings);
    EXPECT_FALSE(findings.clean()) << nonsense;
    (void)test.pop(End::kOldest);
    (void)test.push(1, WhenFull::kDropOldest);
    (void)test.pop(End::kNewest);
    EXPECT_LE(test.ring.count(), 3u);
  }
}

#ifdef PORTOLAN_SEAMS
class NobodyElseLives final : public sync::Liveness {
 public:
  bool alive(sync::Owner owner) const override { return owner.slot() == 0; }
};

// A process dies before each store of a push or pop: the operation happened or did not, and the next goes on.
TEST(BoundedRing, a_death_at_any_store_leaves_all_or_nothing) {
  const NobodyElseLives liveness;
  const BoundedRing::Shape shape{16, 3};
  const std::uint64_t size = BoundedRing::size(shape).value();
  for (int operation = 0; operation < 4; ++operation)
    for (std::uint64_t seam = 1; seam < 20; ++seam) {
      auto region = region_for_test(size, size);
      BoundedRing ring = *BoundedRing::attach(region->bytes(), shape);
      const sync::Actor parent{sync::Owner(0, 1, 1), &liveness}, child{sync::Owner(1, 1, 2), &liveness};
      std::uint64_t value[2] = {};
      auto* const bytes = reinterpret_cast<std::byte*>(value);
      for (std::uint64_t n = 1; n <= 3; ++n) {
        value[0] = value[1] = n;
        ASSERT_TRUE(ring.push(parent, bytes, WhenFull::kRefuse));
      }
      if (operation == 3) {
        ASSERT_TRUE(ring.pop(parent, bytes, End::kOldest));
      }
      const pid_t process = ::fork();
      if (process == 0) {
        value[0] = value[1] = 9;
        sync::kill_at_seam(seam);
        if (operation == 0 || operation == 3) (void)ring.push(child, bytes, WhenFull::kDropOldest);
        if (operation == 1) (void)ring.pop(child, bytes, End::kOldest);
        if (operation == 2) (void)ring.pop(child, bytes, End::kNewest);
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(process, &status, 0);
      std::vector<std::uint64_t> left;
      while (ring.pop(parent, bytes, End::kOldest)) {
        EXPECT_EQ(value[0], value[1]) << "half of a value";
        left.push_back(value[0]);
      }
      const std::vector<std::uint64_t> before =
          operation == 3 ? std::vector<std::uint64_t>{2, 3} : std::vector<std::uint64_t>{1, 2, 3};
      const std::vector<std::uint64_t> after[] = {{2, 3, 9}, {2, 3}, {1, 2}, {2, 3, 9}};
      EXPECT_TRUE(left == before || left == after[operation])
          << "operation " << operation << " seam " << seam;
      if (WIFEXITED(status)) {
        EXPECT_EQ(left, after[operation]);
        break;
      }
    }
}
#endif

}  // namespace
}  // namespace portolan::ds
