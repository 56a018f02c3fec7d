// SPDX-License-Identifier: Apache-2.0
// Several processes write to one table and are killed at random times, again and again; readers look on.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include "ds/table_for_test.h"
#include "stress.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kWriters = 3;
constexpr std::uint32_t kOwnKeys = 300;     // of each writer: what it did to them is known
constexpr std::uint32_t kCommonKeys = 100;  // that all fight for
constexpr std::uint32_t kSteadyKeys = 200;  // that are replaced, never removed
constexpr std::uint32_t kMost = kWriters * kOwnKeys + kCommonKeys / 2 + kSteadyKeys;

// What a writer did to one key of its own; 0 is "removed". The value in the table is one of the two.
struct Record {
  sync::Atomic<std::uint64_t> asked, acknowledged;
};
struct Records {
  Record own[kWriters][kOwnKeys];
};

std::uint64_t own_key(std::uint32_t writer, std::uint32_t n) { return 1'000'000 + writer * 10'000 + n; }
std::uint64_t steady_key(std::uint64_t n) { return 5'000'000 + n; }

// Never returns: is killed.
[[noreturn]] void write(HashTable& table, const sync::Actor& actor, Records& records, std::uint32_t writer,
                        std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t step = 1;; ++step) {
    const std::uint32_t n = static_cast<std::uint32_t>(random() % kOwnKeys);
    std::uint64_t key = own_key(writer, n), value = seed << 32 | step;
    Record& record = records.own[writer][n];
    if (random() % 3 == 0) {
      record.asked.store_seq_cst(0);
      (void)table.erase(actor, &key);
      record.acknowledged.store_seq_cst(0);
    } else {
      record.asked.store_seq_cst(value);
      if (!table.update(actor, &key, &value, Insert::kAny))
        ::_exit(3);  // own and steady keys always have room
      record.acknowledged.store_seq_cst(value);
    }
    key = 3'000'000 + random() % kCommonKeys;
    if (random() % 2 == 0) {
      if (auto done = table.update(actor, &key, &value, Insert::kAny); !done && done.error().value != E2BIG)
        ::_exit(4);
    } else {
      (void)table.erase(actor, &key);
    }
    key = steady_key(random() % kSteadyKeys);
    value = key << 32 | (step & 0xffff'ffff);
    if (!table.update(actor, &key, &value, Insert::kExist)) ::_exit(5);
  }
}

TEST(HashTableKill, nothing_acknowledged_is_lost_however_writers_die) {
  stress::Roll roll;
  // Room for every key that may be there at once, so that an update of one's own key never meets a full
  // table. The common keys overfill a second table below.
  TableForTest test({8, 8, kMost + kCommonKeys, true, 42});
  stress::Shared<Records> records;
  const auto parent = roll.actor(0, 1, 1);
  for (std::uint64_t n = 0; n < kSteadyKeys; ++n) {
    const std::uint64_t key = steady_key(n), value = key << 32;
    ASSERT_TRUE(test.table.update(parent, &key, &value, Insert::kAny));
  }
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::thread reader([&] {
    std::mt19937_64 random(1);
    while (!stop.load(std::memory_order_relaxed)) {
      const std::uint64_t key = steady_key(random() % kSteadyKeys);
      std::uint64_t value = 0;
      if (!test.table.lookup(&key, &value) || value >> 32 != key) {
        ADD_FAILURE() << "key " << key << " has " << value;
        return;
      }
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  });

  std::mt19937_64 random(7);
  pid_t children[kWriters] = {};
  std::uint32_t incarnations[kWriters] = {};
  const auto start = [&](std::uint32_t writer) {
    const std::uint32_t incarnation = ++incarnations[writer];
    children[writer] = ::fork();
    if (children[writer] == 0)
      write(test.table, roll.actor(1 + writer, incarnation, writer), *records, writer,
            std::uint64_t{writer + 1} << 24 | incarnation);
  };
  const auto kill_and_bury = [&](std::uint32_t writer) {
    ::kill(children[writer], SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(children[writer], &status, 0), children[writer]);
    ASSERT_TRUE(WIFSIGNALED(status)) << "writer " << writer << " gave up: " << WEXITSTATUS(status);
    roll.bury(1 + writer, incarnations[writer]);
  };
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) start(writer);
  for (std::uint64_t kills = stress::rounds(300); kills != 0 && !testing::Test::HasFailure(); --kills) {
    const auto writer = static_cast<std::uint32_t>(random() % kWriters);
    // Until some random amount of work was done, by whomever.
    const std::uint64_t until = reads.load() + random() % 20'000;
    while (reads.load() < until && !testing::Test::HasFailure()) std::this_thread::yield();
    kill_and_bury(writer);
    start(writer);
  }
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) kill_and_bury(writer);
  stop = true;
  reader.join();

  shm::Findings findings;
  test.table.check("table", findings);
  for (const auto& finding : findings.list())
    EXPECT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
    for (std::uint32_t n = 0; n < kOwnKeys; ++n) {
      const std::uint64_t key = own_key(writer, n);
      std::uint64_t value = 0;
      if (!test.table.lookup(&key, &value)) value = 0;
      const Record& record = records->own[writer][n];
      EXPECT_TRUE(value == record.asked.load_relaxed() || value == record.acknowledged.load_relaxed())
          << "key " << key << " has " << value;
    }
  }
  // The capacity is exact again.
  std::uint64_t key = 9'000'000, value = 1;
  for (std::uint32_t left = kMost + kCommonKeys - test.table.count(); left != 0; --left, ++key)
    ASSERT_TRUE(test.table.update(parent, &key, &value, Insert::kNoExist)) << left;
  EXPECT_EQ(test.table.update(parent, &key, &value, Insert::kAny).error().value, E2BIG);
}

// All writers fight for twice as many keys as fit; the full table is what makes them sweep.
TEST(HashTableKill, a_full_table_stays_exact_however_writers_die) {
  constexpr std::uint32_t kFull = 200;
  stress::Roll roll;
  TableForTest test({8, 16, kFull, false, 43});
  const auto parent = roll.actor(0, 1, 1);
  std::mt19937_64 random(11);
  for (std::uint64_t round = 0, end = stress::rounds(100); round < end; ++round) {
    pid_t children[kWriters] = {};
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      children[writer] = ::fork();
      if (children[writer] != 0) continue;
      const auto actor = roll.actor(1 + writer, static_cast<std::uint32_t>(round) + 1, writer);
      std::mt19937_64 dice(round * kWriters + writer);
      for (;;) {
        const std::uint64_t key = dice() % (2 * kFull), value[2] = {key, ~key};
        if (dice() % 4 == 0) {
          (void)test.table.erase(actor, &key);
        } else if (auto done = test.table.update(actor, &key, value, Insert::kAny);
                   !done && done.error().value != E2BIG) {
          ::_exit(3);
        }
      }
    }
    for (std::uint64_t reads = random() % 30'000; reads != 0; --reads) {
      const std::uint64_t key = random() % (2 * kFull);
      std::uint64_t value[2];
      if (test.table.lookup(&key, value)) {
        ASSERT_TRUE(value[0] == key && value[1] == ~key) << key << " has " << value[0];
      }
    }
    for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
      ::kill(children[writer], SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(children[writer], &status, 0), children[writer]);
      ASSERT_TRUE(WIFSIGNALED(status));
      roll.bury(1 + writer, static_cast<std::uint32_t>(round) + 1);
    }
    shm::Findings findings;
    test.table.check("table", findings);
    for (const auto& finding : findings.list())
      ASSERT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
    if (round % 10 != 0) continue;
    std::uint64_t key = 1'000'000;
    const std::uint64_t value[2] = {key, ~key};
    std::uint32_t added = 0;
    for (; test.table.update(parent, &key, value, Insert::kNoExist); ++key) ++added;
    EXPECT_EQ(test.table.count(), kFull);
    for (; added != 0; --added) {
      --key;
      ASSERT_TRUE(test.table.erase(parent, &key));
    }
  }
}

}  // namespace
}  // namespace portolan::ds
