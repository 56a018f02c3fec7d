// SPDX-License-Identifier: Apache-2.0
// A process is killed before each single store of one operation; then the table must be whole, hold what was
// acknowledged, and have room for exactly max_entries.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "ds/hash_function.h"
#include "ds/table_for_test.h"
#include "stress.h"
#include "sync/seam.h"

namespace portolan::ds {
namespace {

using Model = std::map<std::uint64_t, std::uint64_t>;
constexpr std::uint64_t kSeed = 0x1234;

class World {
 public:
  World(std::uint32_t max_entries, bool preallocated)
      : test({8, 8, max_entries, preallocated, kSeed}), actor(roll.actor(0, 1, 1)) {}

  bool put(std::uint64_t key, std::uint64_t value) {
    const bool done = bool(test.table.update(actor, &key, &value, Insert::kAny));
    if (done) model[key] = value;
    return done;
  }
  void drop(std::uint64_t key) {
    ASSERT_TRUE(test.table.erase(actor, &key));
    model.erase(key);
  }
  // The keys whose state is certain have their values; `open` has one of two. Nothing is broken.
  void expect_whole(std::uint64_t open, const Model& before, const Model& after) {
    shm::Findings findings;
    test.table.check("table", findings);
    for (const auto& finding : findings.list())
      EXPECT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
    Model walked;
    std::uint64_t key = 0, value = 0;
    for (std::uint32_t cursor = HashTable::kBegin; test.table.next(cursor, &key, &value);)
      EXPECT_TRUE(walked.emplace(key, value).second) << key << " twice";
    const bool is_after = test.table.lookup(&open, &value) ? after.contains(open) && value == after.at(open)
                                                           : !after.contains(open);
    EXPECT_EQ(walked, is_after ? after : before);
    model = walked;
  }
  // Everything can go on, and exactly max_entries fit.
  void expect_usable() {
    const std::uint32_t most = test.table.shape().max_entries;
    for (const auto& [key, value] : Model(model)) ASSERT_TRUE(put(key, value + 1));
    for (std::uint64_t key = 1'000'000; model.size() < most; ++key)
      ASSERT_TRUE(put(key, key)) << model.size();
    EXPECT_FALSE(put(2'000'000, 0));
    EXPECT_EQ(test.table.count(), most);
    test.expect_clean();
    for (const auto& [key, value] : Model(model)) drop(key);
    EXPECT_EQ(test.table.count(), 0u);
    test.expect_clean();
  }

  stress::Roll roll;
  TableForTest test;
  sync::Actor actor;
  Model model;
};

#ifdef PORTOLAN_SEAMS  // presets debug and asan; elsewhere no kill can be planted
struct Case {
  const char* name;
  std::uint32_t max_entries;
  bool preallocated;
  std::function<void(World&)> prepare;
  std::uint64_t key;                                            // that the operation is about
  std::function<void(HashTable&, const sync::Actor&)> operate;  // in the process that is killed
  std::function<void(Model&)> model;                            // what it does when it is let
};

void update(HashTable& table, const sync::Actor& actor, std::uint64_t key, std::uint64_t value) {
  (void)table.update(actor, &key, &value, Insert::kAny);
}
void fill(World& world, std::uint64_t count) {
  for (std::uint64_t key = 0; key < count; ++key) ASSERT_TRUE(world.put(key, key * 10));
}

// A table of 60 whose buckets are ten; these keys belong in the one before the last.
std::vector<std::uint64_t> neighbours(std::size_t wanted) {
  const HashFunction function(kSeed);
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 0; keys.size() < wanted; ++key)
    if ((function.of_word(key) >> 32) * 10 >> 32 == 8) keys.push_back(key);
  return keys;
}

std::vector<Case> cases() {
  const auto crowd = neighbours(40);
  return {
      {"insert", 100, true, [](World& world) { fill(world, 20); }, 500,
       [](HashTable& table, const sync::Actor& actor) { update(table, actor, 500, 7); },
       [](Model& model) { model[500] = 7; }},
      {"insert_in_new_chunk", 20'000, false, [](World& world) { fill(world, 2740); }, 50'000,
       [](HashTable& table, const sync::Actor& actor) { update(table, actor, 50'000, 7); },
       [](Model& model) { model[50'000] = 7; }},
      {"insert_beyond_a_full_bucket", 60, true,
       [crowd](World& world) {
         for (std::size_t n = 0; n < 30; ++n) ASSERT_TRUE(world.put(crowd[n], n));
       },
       crowd[35],
       [key = crowd[35]](HashTable& table, const sync::Actor& actor) { update(table, actor, key, 7); },
       [key = crowd[35]](Model& model) { model[key] = 7; }},
      {"insert_the_last", 50, true, [](World& world) { fill(world, 49); }, 500,
       [](HashTable& table, const sync::Actor& actor) { update(table, actor, 500, 7); },
       [](Model& model) { model[500] = 7; }},
      {"insert_when_full", 50, true, [](World& world) { fill(world, 50); }, 500,
       [](HashTable& table, const sync::Actor& actor) { update(table, actor, 500, 7); }, [](Model&) {}},
      {"replace", 50, true, [](World& world) { fill(world, 50); }, 33,
       [](HashTable& table, const sync::Actor& actor) { update(table, actor, 33, 7); },
       [](Model& model) { model[33] = 7; }},
      {"erase", 50, true, [](World& world) { fill(world, 50); }, 33,
       [](HashTable& table, const sync::Actor& actor) {
         const std::uint64_t key = 33;
         (void)table.erase(actor, &key);
       },
       [](Model& model) { model.erase(33); }},
      {"erase_beyond_a_full_bucket", 60, true,
       [crowd](World& world) {
         for (std::size_t n = 0; n < 30; ++n) ASSERT_TRUE(world.put(crowd[n], n));
       },
       crowd[29],
       [key = crowd[29]](HashTable& table, const sync::Actor& actor) { (void)table.erase(actor, &key); },
       [key = crowd[29]](Model& model) { model.erase(key); }},
      {"erase_into_a_full_lane", 50, true,
       [](World& world) {
         fill(world, 50);
         for (std::uint64_t key = 0; key < 12; ++key) world.drop(key);
       },
       33,
       [](HashTable& table, const sync::Actor& actor) {
         const std::uint64_t key = 33;
         (void)table.erase(actor, &key);
       },
       [](Model& model) { model.erase(33); }},
      {"insert_in_place", 50, true, [](World& world) { fill(world, 20); }, 500,
       [](HashTable& table, const sync::Actor& actor) {
         const std::uint64_t key = 500;
         (void)table.update_in_place(actor, &key, Insert::kAny, [](std::byte* at, bool) {
           const std::uint64_t value = 7;
           std::memcpy(at, &value, sizeof value);
         });
       },
       [](Model& model) { model[500] = 7; }},
      // Lanes that the dead left, then a full table: the sweep itself is killed.
      {"sweep", 50, true,
       [](World& world) {
         fill(world, 50);
         world.drop(3);
         for (std::uint32_t lane = 0; lane < 2; ++lane) {
           const pid_t child = ::fork();
           if (child == 0) {
             std::uint64_t key = 40 + lane, value = 400 + 10 * lane;
             sync::kill_at_seam(6);
             (void)world.test.table.update(world.roll.actor(1, 1, lane), &key, &value, Insert::kAny);
             ::_exit(0);
           }
           ::waitpid(child, nullptr, 0);
         }
         world.roll.bury(1, 1);
       },
       500, [](HashTable& table, const sync::Actor& actor) { update(table, actor, 500, 7); },
       [](Model& model) { model[500] = 7; }},
  };
}

class KilledAtEachStore : public testing::TestWithParam<std::size_t> {};

TEST_P(KilledAtEachStore, the_table_is_whole_and_goes_on) {
  const Case test_case = cases()[GetParam()];
  bool survived = false;
  for (std::uint64_t seam = 1; !survived; ++seam) {
    SCOPED_TRACE(testing::Message() << test_case.name << ", killed at seam " << seam);
    ASSERT_LT(seam, 10'000u);
    World world(test_case.max_entries, test_case.preallocated);
    test_case.prepare(world);
    const Model before = world.model;
    Model after = before;
    test_case.model(after);
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      test_case.operate(world.test.table, world.roll.actor(2, 1, 1));
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    survived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ASSERT_TRUE(survived || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    world.roll.bury(2, 1);
    world.expect_whole(test_case.key, before, after);
    if (survived) {
      EXPECT_EQ(world.model, after);
    }
    world.expect_usable();
    if (testing::Test::HasFailure()) break;
  }
}
INSTANTIATE_TEST_SUITE_P(HashTable, KilledAtEachStore, testing::Range<std::size_t>(0, cases().size()),
                         [](const auto& at) { return cases()[at.param].name; });
#endif

}  // namespace
}  // namespace portolan::ds
