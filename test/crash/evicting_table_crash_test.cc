// SPDX-License-Identifier: Apache-2.0
// A table that evicts: processes are killed before each store of an insert that evicts, and at random.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>
#include <set>

#include "ds/table_for_test.h"
#include "stress.h"
#include "sync/seam.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kMost = 50;

void expect_whole(const HashTable& table) {
  shm::Findings findings;
  table.check("table", findings);
  for (const auto& finding : findings.list())
    EXPECT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
  std::set<std::uint64_t> keys;
  std::uint64_t key = 0, value = 0;
  for (std::uint32_t cursor = HashTable::kBegin; table.next(cursor, &key, &value);) {
    EXPECT_TRUE(keys.insert(key).second) << key << " twice";
    EXPECT_EQ(value, key * 3);
  }
  EXPECT_LE(keys.size(), table.shape().max_entries);
}

// Every insert succeeds, and after a while, which it takes to find what the dead held, exactly max_entries
// are there.
void expect_usable(TableForTest& test, const sync::Actor& actor) {
  for (std::uint64_t key = 1'000'000; key < 1'000'000 + 1100; ++key) {
    const std::uint64_t value = key * 3;
    ASSERT_TRUE(test.table.update(actor, &key, &value, Insert::kAny));
    ASSERT_NE(test.table.find(&key), nullptr);
  }
  EXPECT_EQ(test.table.count(), kMost);
  test.expect_clean();
}

bool put(HashTable& table, const sync::Actor& actor, std::uint64_t key) {
  const std::uint64_t value = key * 3;
  return table.update(actor, &key, &value, Insert::kAny).has_value();
}

#ifdef PORTOLAN_SEAMS  // presets debug and asan; elsewhere no kill can be planted
TEST(EvictingTable, an_insert_that_is_killed_anywhere_leaves_a_whole_table) {
  bool survived = false;
  for (std::uint64_t seam = 1; !survived; ++seam) {
    SCOPED_TRACE(testing::Message() << "killed at seam " << seam);
    ASSERT_LT(seam, 1000u);
    stress::Roll roll;
    TableForTest test({8, 8, kMost, true, 42, true});
    const auto actor = roll.actor(0, 1, 1);
    for (std::uint64_t key = 0; key < kMost; ++key) ASSERT_TRUE(put(test.table, actor, key));
    for (std::uint64_t key = 0; key < kMost; key += 2) (void)test.table.find_and_keep(&key);
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      (void)put(test.table, roll.actor(2, 1, 1), 500);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    survived = WIFEXITED(status);
    roll.bury(2, 1);
    expect_whole(test.table);
    EXPECT_GE(test.table.count(), kMost - 1);
    expect_usable(test, actor);
  }
}
#endif

TEST(EvictingTable, writers_that_die_at_any_time_leave_a_table_that_takes_every_insert) {
  stress::Roll roll;
  TableForTest test({8, 8, kMost, true, 42, true});
  const auto parent = roll.actor(0, 1, 1);
  std::mt19937_64 random(5);
  constexpr std::uint32_t kWriters = 3;
  for (std::uint64_t round = 0, end = stress::rounds(100); round < end; ++round) {
    pid_t children[kWriters] = {};
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      children[writer] = ::fork();
      if (children[writer] != 0) continue;
      const auto actor = roll.actor(1 + writer, static_cast<std::uint32_t>(round) + 1, writer);
      std::mt19937_64 dice(round * kWriters + writer);
      for (;;) {
        const std::uint64_t key = dice() % (3 * kMost);
        if (dice() % 8 == 0)
          (void)test.table.erase(actor, &key);
        else if (!put(test.table, actor, key))
          ::_exit(3);
      }
    }
    for (std::uint64_t reads = random() % 20'000; reads != 0; --reads) {
      const std::uint64_t key = random() % (3 * kMost);
      std::uint64_t value = 0;
      if (test.table.lookup_and_keep(&key, &value)) {
        ASSERT_EQ(value, key * 3);
      }
    }
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      ::kill(children[writer], SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(children[writer], &status, 0), children[writer]);
      ASSERT_TRUE(WIFSIGNALED(status)) << "gave up: " << WEXITSTATUS(status);
      roll.bury(1 + writer, static_cast<std::uint32_t>(round) + 1);
    }
    expect_whole(test.table);
  }
  expect_usable(test, parent);
}

}  // namespace
}  // namespace portolan::ds
