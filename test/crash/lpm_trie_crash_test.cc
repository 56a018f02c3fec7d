// SPDX-License-Identifier: Apache-2.0
// An LPM trie: processes are killed before each store of each kind of change, and at random.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <random>
#include <vector>

#include "ds/lpm_trie.h"
#include "ds/table_for_test.h"
#include "stress.h"
#include "sync/seam.h"

namespace portolan::ds {
namespace {

struct Key {
  std::uint32_t length;
  std::uint8_t data[4];
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this); }
  auto operator<=>(const Key&) const = default;
};
using Model = std::map<Key, std::uint64_t>;

struct Trie {
  std::unique_ptr<shm::Region> region;
  LpmTrie trie;
  explicit Trie(const LpmTrieShape& shape)
      : region(region_for_test(LpmTrie::sizes(shape)->total, LpmTrie::sizes(shape)->reserved)), trie([&] {
          LpmTrie::format(*region, 0, shape);
          return *LpmTrie::attach(*region, 0);
        }()) {}
  // What there is but for the crowd, which must be as it was.
  Model walk() const {
    Model all;
    Key at{}, next{};
    std::uint64_t value = 0;
    std::uint32_t others = 0;
    const std::byte* from = nullptr;
    while (trie.next(from, reinterpret_cast<std::byte*>(&next)) && all.size() <= 10'000) {
      EXPECT_TRUE(trie.lookup(next.bytes(), &value));
      if (next.data[0] == kCrowd)
        EXPECT_EQ(value, ++others);
      else
        EXPECT_TRUE(all.emplace(next, value).second);
      at = next;
      from = at.bytes();
    }
    EXPECT_EQ(others, crowd);
    return all;
  }
  // Many more, elsewhere, so that the first bits have a table.
  void add_crowd(const sync::Actor& actor, std::uint32_t count) {
    for (std::uint64_t n = 0; n < count; ++n) {
      const Key key{32, {kCrowd, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n), 0}};
      const std::uint64_t value = n + 1;
      ASSERT_TRUE(trie.update(actor, key.bytes(), &value, Insert::kNoExist));
    }
    crowd = count;
  }
  static constexpr std::uint8_t kCrowd = 100;
  std::uint32_t crowd = 0;
  void expect_whole() const {
    shm::Findings findings;
    trie.check("trie", findings);
    for (const auto& finding : findings.list())
      EXPECT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
  }
};

#ifdef PORTOLAN_SEAMS  // presets debug and asan; elsewhere no kill can be planted
constexpr std::uint32_t kMost = 14;
const std::vector<Key> kStart = {{8, {10, 0, 0, 0}},  {16, {10, 1, 0, 0}},  {24, {10, 1, 2, 0}},
                                 {24, {10, 1, 3, 0}}, {32, {10, 1, 2, 77}}, {24, {192, 0, 2, 0}},
                                 {9, {10, 0, 0, 0}},  {24, {200, 1, 0, 0}}, {9, {200, 0, 0, 0}}};

struct Change {
  const char* name;
  Key key;
  bool erases;
};
const Change kChanges[] = {
    {"beside_others", {24, {10, 1, 7, 0}}, false},
    {"where_a_node_is_needed", {25, {192, 0, 2, 128}}, false},
    {"above_a_node", {4, {0, 0, 0, 0}}, false},
    {"replace", {24, {10, 1, 2, 0}}, false},
    {"erase_an_inner_one", {16, {10, 1, 0, 0}}, true},
    {"erase_a_leaf", {32, {10, 1, 2, 77}}, true},
    {"erase_one_beside_one", {24, {192, 0, 2, 0}}, true},
    {"below_the_first_bits", {24, {10, 40, 1, 0}}, false},
    {"at_the_end_of_the_first_bits", {12, {10, 0, 0, 0}}, false},
    {"replace_one_of_the_first_bits", {9, {10, 0, 0, 0}}, false},
    {"erase_one_of_the_first_bits", {9, {10, 0, 0, 0}}, true},
    {"erase_all_below_the_first_bits", {24, {200, 1, 0, 0}}, true},
};
constexpr std::uint32_t kNoTable = 0, kTable = 8192, kAnswers = 1024;
constexpr std::uint32_t kAnswerBits = 12;

class TrieKilledAtEachStore : public testing::TestWithParam<std::tuple<std::size_t, std::uint32_t>> {};

TEST_P(TrieKilledAtEachStore, the_trie_is_whole_and_goes_on) {
  const auto& [number, crowd] = GetParam();
  const Change& change = kChanges[number];
  stress::Roll roll;
  const auto actor = roll.actor(0, 1, 1);
  Trie test({4, 8, kMost + crowd, {kAnswerBits, crowd == kAnswers ? 0 : UINT32_MAX}});
  test.add_crowd(actor, crowd);
  Model before;
  for (const Key& key : kStart) {
    before[key] = key.length;
    ASSERT_TRUE(test.trie.update(actor, key.bytes(), &before[key], Insert::kNoExist));
  }
  Model after = before;
  change.erases ? (void)after.erase(change.key) : (void)(after[change.key] = 99);
  const std::vector<std::byte> start(test.region->base(), test.region->base() + test.region->size());
  bool survived = false;
  for (std::uint32_t seam = 1; !survived; ++seam) {
    SCOPED_TRACE(testing::Message() << change.name << ", killed at seam " << seam);
    ASSERT_LT(seam, 1000u);
    std::memcpy(test.region->base(), start.data(), start.size());
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      const std::uint64_t value = 99;
      if (change.erases)
        (void)test.trie.erase(roll.actor(2, seam, 1), change.key.bytes());
      else
        (void)test.trie.update(roll.actor(2, seam, 1), change.key.bytes(), &value, Insert::kAny);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    survived = WIFEXITED(status);
    roll.bury(2, seam);
    test.expect_whole();
    const Model seen = test.walk();
    EXPECT_TRUE(seen == before || seen == after);
    if (survived) {
      EXPECT_EQ(seen, after);
    }
    // Exactly as many fit as there may be, and nothing is nowhere.
    std::uint32_t count = 0;
    for (std::uint8_t n = 0; n < 30; ++n) {
      const Key key{32, {172, 16, n, 1}};
      const std::uint64_t value = n;
      if (!test.trie.update(actor, key.bytes(), &value, Insert::kNoExist)) break;
      ++count;
    }
    EXPECT_EQ(seen.size() + count, kMost);
    shm::Findings findings;
    test.trie.check("trie", findings);
    for (const auto& finding : findings.list()) ADD_FAILURE() << finding.where << ": " << finding.what;
    if (testing::Test::HasFailure()) break;
  }
}
INSTANTIATE_TEST_SUITE_P(LpmTrie, TrieKilledAtEachStore,
                         testing::Combine(testing::Range<std::size_t>(0, std::size(kChanges)),
                                          testing::Values(kNoTable, kTable, kAnswers)),
                         [](const auto& at) {
                           const std::uint32_t crowd = std::get<1>(at.param);
                           return kChanges[std::get<0>(at.param)].name +
                                  std::string(crowd == kTable     ? "_with_a_table"
                                              : crowd == kAnswers ? "_with_answers"
                                                                  : "");
                         });

// Too many stores to be killed before each of them.
class TrieKilled : public testing::TestWithParam<std::uint32_t> {};
TEST_P(TrieKilled, while_the_first_bits_get_a_table) {
  stress::Roll roll;
  const auto actor = roll.actor(0, 1, 1);
  const std::uint32_t crowd = GetParam();
  Trie test({4, 8, crowd + 30, {kAnswerBits, crowd == kAnswers ? 0 : UINT32_MAX}});
  test.add_crowd(actor, crowd - 1);
  const std::vector<std::byte> start(test.region->base(), test.region->base() + test.region->size());
  const Key last{24, {10, 1, 2, 0}};
  bool survived = false;
  std::uint32_t round = 0;
  for (std::uint32_t seam = 1; !survived; seam += seam < 40 ? 1 : seam / 8) {
    SCOPED_TRACE(testing::Message() << "killed at seam " << seam);
    std::memcpy(test.region->base(), start.data(), start.size());
    ++round;
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      const std::uint64_t value = 99;
      (void)test.trie.update(roll.actor(2, round, 1), last.bytes(), &value, Insert::kAny);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    survived = WIFEXITED(status);
    roll.bury(2, round);
    const std::uint64_t value = 100;
    const Key other{28, {10, 1, 2, 16}};
    ASSERT_TRUE(test.trie.update(actor, other.bytes(), &value, Insert::kNoExist));
    test.expect_whole();
    const Model seen = test.walk();
    EXPECT_EQ(seen.at(other), 100u);
    EXPECT_EQ(seen.size(), seen.contains(last) ? 2u : 1u);
    EXPECT_TRUE(seen.contains(last) || !survived);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(round, 60u);  // it got one
}
INSTANTIATE_TEST_SUITE_P(LpmTrie, TrieKilled, testing::Values(kTable, kAnswers),
                         [](const auto& at) { return at.param == kAnswers ? "of_answers" : "of_nodes"; });
#endif

// Each writer has prefixes of its own, below one that is never touched.
TEST(LpmTrieKill, nothing_acknowledged_is_lost_however_writers_die) {
  constexpr std::uint32_t kWriters = 3, kOwn = 64;
  struct Records {
    struct {
      sync::Atomic<std::uint64_t> asked, acknowledged;  // 0: erased
    } own[kWriters][kOwn];
  };
  stress::Roll roll;
  stress::Shared<Records> records;
  Trie test({4, 8, 1 + kWriters * kOwn});
  const auto parent = roll.actor(0, 1, 1);
  const Key all{8, {10, 0, 0, 0}};
  const std::uint64_t all_value = 1;
  ASSERT_TRUE(test.trie.update(parent, all.bytes(), &all_value, Insert::kAny));
  const auto own_key = [](std::uint32_t writer, std::uint32_t n) {
    // Of several lengths, those of different writers side by side.
    return Key{24 + n % 9,
               {10, static_cast<std::uint8_t>(n * 5), static_cast<std::uint8_t>(writer << 6 | n), 0}};
  };
  std::mt19937_64 random(9);
  for (std::uint64_t round = 0, end = stress::rounds(100); round < end; ++round) {
    pid_t children[kWriters] = {};
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      children[writer] = ::fork();
      if (children[writer] != 0) continue;
      const auto actor = roll.actor(1 + writer, static_cast<std::uint32_t>(round) + 1, writer);
      std::mt19937_64 dice(round * kWriters + writer);
      for (std::uint64_t step = 1;; ++step) {
        const auto n = static_cast<std::uint32_t>(dice() % kOwn);
        const Key key = own_key(writer, n);
        auto& record = records->own[writer][n];
        const std::uint64_t value = dice() % 3 == 0 ? 0 : (round + 1) << 32 | step;
        record.asked.store_seq_cst(value);
        if (value == 0)
          (void)test.trie.erase(actor, key.bytes());
        else if (!test.trie.update(actor, key.bytes(), &value, Insert::kAny))
          ::_exit(3);
        record.acknowledged.store_seq_cst(value);
      }
    }
    for (std::uint64_t reads = random() % 20'000; reads != 0; --reads) {
      const Key key{32, {10, static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()), 0}};
      std::uint64_t value = 0;
      ASSERT_TRUE(test.trie.lookup(key.bytes(), &value));  // there is always `all`
    }
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      ::kill(children[writer], SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(children[writer], &status, 0), children[writer]);
      ASSERT_TRUE(WIFSIGNALED(status)) << "gave up: " << WEXITSTATUS(status);
      roll.bury(1 + writer, static_cast<std::uint32_t>(round) + 1);
    }
    test.expect_whole();
    const Model seen = test.walk();
    for (std::uint32_t writer = 0; writer < kWriters; ++writer)
      for (std::uint32_t n = 0; n < kOwn; ++n) {
        const auto found = seen.find(own_key(writer, n));
        const std::uint64_t value = found == seen.end() ? 0 : found->second;
        auto& record = records->own[writer][n];
        ASSERT_TRUE(value == record.asked.load_relaxed() || value == record.acknowledged.load_relaxed());
        record.asked.store_relaxed(value);
        record.acknowledged.store_relaxed(value);
      }
  }
}

}  // namespace
}  // namespace portolan::ds
