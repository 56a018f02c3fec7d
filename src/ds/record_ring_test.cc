// SPDX-License-Identifier: Apache-2.0
#include "ds/record_ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/fault_copy.h"
#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kSize = 4096;
constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

class OnlyTheFirstLives final : public sync::Liveness {
 public:
  bool alive(sync::Owner owner) const override { return owner.slot() == 0; }
};

// A ring in memory that children share.
struct Ring {
  Ring() { install_fault_handler(); }
  ~Ring() { ::munmap(memory, kBytes); }
  std::uint32_t word(std::uint64_t position) const {
    return load_unaligned<std::uint32_t>(pages + 2 * RecordRing::kPage + position);
  }
  void consume_to(std::uint64_t position) { std::memcpy(pages, &position, sizeof position); }
  std::uint64_t producer_page() const { return load_unaligned<std::uint64_t>(pages + RecordRing::kPage); }
  void expect_clean() const {
    shm::Findings findings;
    ring.check("ring", findings);
    EXPECT_TRUE(findings.clean());
  }

  static constexpr std::uint64_t kControl = 12 * RecordRing::kPage,
                                 kBytes = kControl + RecordRing::pages_size(kSize);
  std::byte* memory = static_cast<std::byte*>(
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::byte* pages = memory + kControl;
  RecordRing ring = *RecordRing::attach({memory, kControl}, {pages, RecordRing::pages_size(kSize)}, kSize);
  OnlyTheFirstLives liveness;
  sync::Actor actor{sync::Owner(0, 1, 1), &liveness}, other{sync::Owner(1, 1, 2), &liveness};
};

TEST(RecordRing, a_record_is_busy_until_it_is_committed) {
  Ring test;
  const auto record = test.ring.reserve(test.actor, 12);
  ASSERT_TRUE(record);
  EXPECT_EQ(test.word(0), 12u | kBusy);
  EXPECT_EQ(test.producer_page(), 24u);
  EXPECT_TRUE(test.ring.is_held_up());
  test.ring.commit(*record, false);
  EXPECT_TRUE(test.ring.consumer_waits_at(record->position));
  EXPECT_EQ(test.word(0), 12u);
  EXPECT_FALSE(test.ring.is_held_up());
  const auto next = test.ring.reserve(test.actor, 1);
  ASSERT_TRUE(next);
  test.ring.commit(*next, true);
  EXPECT_FALSE(test.ring.consumer_waits_at(next->position));  // it has the first one to read yet
  EXPECT_EQ(test.word(24), 1u | kDiscarded);
  EXPECT_EQ(test.ring.available(), 40u);
  test.expect_clean();
}

TEST(RecordRing, never_is_quite_full_and_counts_what_found_no_room) {
  Ring test;
  unsigned records = 0;
  while (const auto record = test.ring.reserve(test.actor, 56)) {
    ++records;
    test.ring.commit(*record, false);
  }
  EXPECT_EQ(records, 63u);
  EXPECT_EQ(test.ring.dropped(), 1u);
  EXPECT_FALSE(test.ring.reserve(test.actor, 57));
  const auto last = test.ring.reserve(test.actor, 40);
  ASSERT_TRUE(last);
  test.ring.commit(*last, false);
  EXPECT_FALSE(test.ring.reserve(test.actor, 8));
  test.consume_to(64);
  EXPECT_TRUE(test.ring.reserve(test.actor, 8));
  EXPECT_FALSE(test.ring.reserve(test.actor, kSize));
  EXPECT_FALSE(test.ring.reserve(test.actor, ~0ull));
  EXPECT_FALSE(test.ring.reserve(test.actor, std::uint64_t{1} << 31));
}

// One record that stays busy holds up those behind it, until the ring is full.
TEST(RecordRing, an_old_reservation_keeps_its_place) {
  Ring test;
  const auto old = test.ring.reserve(test.actor, 8);
  ASSERT_TRUE(old);
  while (const auto record = test.ring.reserve(test.actor, 120)) test.ring.commit(*record, false);
  test.consume_to(test.ring.producer_position());  // a consumer that ignores it gains nothing
  EXPECT_FALSE(test.ring.reserve(test.actor, 120));
  test.ring.commit(*old, false);
  EXPECT_TRUE(test.ring.reserve(test.actor, 120));
}

TEST(RecordRing, what_crosses_the_end_is_at_the_beginning_too) {
  Ring test;
  for (int i = 0; i < 4; ++i) test.ring.commit(*test.ring.reserve(test.actor, 1000), false);
  test.consume_to(4 * 1008);
  const auto record = test.ring.reserve(test.actor, 100);
  ASSERT_TRUE(record);
  for (unsigned i = 0; i < 100; ++i) record->bytes[i] = static_cast<std::byte>(i + 1);
  test.ring.commit(*record, false);
  const std::byte* const data = test.pages + 2 * RecordRing::kPage;
  for (unsigned i = 0; i < 100; ++i)
    EXPECT_EQ(data[(4 * 1008 + 8 + i) % kSize], static_cast<std::byte>(i + 1)) << i;
}

TEST(RecordRing, what_is_not_written_of_a_record_across_the_end_is_as_it_was_at_the_beginning) {
  Ring test;
  const auto first = test.ring.reserve(test.actor, 4000);
  ASSERT_TRUE(first);
  std::memset(first->bytes, 0x5a, 4000);
  test.ring.commit(*first, false);
  test.consume_to(4008);
  const auto across = test.ring.reserve(test.actor, 200);
  ASSERT_TRUE(across);
  EXPECT_EQ(across->bytes[79], std::byte{0});  // the last before the end; then the first one's header
  EXPECT_EQ(across->bytes[88], std::byte{0x5a});
  EXPECT_EQ(across->bytes[199], std::byte{0x5a});
  test.ring.commit(*across, false);
  EXPECT_EQ(test.pages[2 * RecordRing::kPage + 119], std::byte{0x5a});
}

TEST(RecordRing, records_of_the_dead_are_discarded_and_those_of_the_living_not) {
  Ring test;
  const auto mine = test.ring.reserve(test.actor, 8), theirs = test.ring.reserve(test.other, 16);
  ASSERT_TRUE(mine && theirs);
  EXPECT_FALSE(test.ring.discard_of_dead(test.actor));  // nobody waits for the second
  EXPECT_EQ(test.word(0), 8u | kBusy);
  EXPECT_EQ(test.word(16), 16u | kDiscarded);
  test.consume_to(40);
  ASSERT_TRUE(test.ring.reserve(test.other, 16));
  EXPECT_TRUE(test.ring.discard_of_dead(test.actor));
  test.expect_clean();
}

TEST(RecordRing, wakeups_are_given_once_until_they_are_taken) {
  Ring test;
  Watch& watch = test.ring.watch();
  EXPECT_FALSE(watch.wanted());
  watch.begin();
  const auto first = watch.wanted(), second = watch.wanted();
  ASSERT_TRUE(first && second);  // the first may have died before it woke anybody
  watch.given(*first);
  EXPECT_FALSE(watch.wanted());
  watch.begin();
  watch.given(*second);  // late: it says nothing about what came after the watcher looked
  EXPECT_TRUE(watch.wanted());
}

// Whatever others write into the pages, nothing outside is touched (ASan looks on), and producers come back.
TEST(RecordRing, nonsense_in_the_pages_stays_there) {
  for (std::uint64_t nonsense : {~0ull, 1ull << 63, 0x5555'5555'5555'5555ull, 4096ull, 7ull}) {
    Ring test;
    for (int i = 0; i < 3; ++i) test.ring.commit(*test.ring.reserve(test.actor, 40), false);
    for (std::uint64_t at = 0; at < RecordRing::pages_size(kSize); at += 8)
      std::memcpy(test.pages + at, &nonsense, sizeof nonsense);
    for (int i = 0; i < 200; ++i)
      if (const auto record = test.ring.reserve(test.actor, 40)) test.ring.commit(*record, i % 2 == 0);
    (void)test.ring.discard_of_dead(test.actor);
    (void)test.ring.is_held_up();
    test.expect_clean();
  }
}

#ifdef PORTOLAN_SEAMS
// A producer dies before each store of reserving and committing: the others go on, the consumer sees whole
// records or none, and nothing is held up for ever.
TEST(RecordRing, a_death_at_any_store_holds_nobody_up) {
  for (std::uint64_t seam = 1;; ++seam) {
    Ring test;
    test.ring.commit(*test.ring.reserve(test.actor, 8), false);
    const pid_t process = ::fork();
    if (process == 0) {
      sync::kill_at_seam(seam);
      if (const auto record = test.ring.reserve(test.other, 16)) {
        std::memset(record->bytes, 5, 16);
        test.ring.commit(*record, false);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(process, &status, 0);
    const auto after = test.ring.reserve(test.actor, 8);
    ASSERT_TRUE(after);
    test.ring.commit(*after, false);
    (void)test.ring.discard_of_dead(test.actor);
    EXPECT_EQ(test.producer_page(), test.ring.producer_position());
    for (std::uint64_t at = 0; at != test.ring.producer_position();) {
      const std::uint32_t length = test.word(at);
      ASSERT_EQ(length & kBusy, 0u) << "seam " << seam;
      if (length == 16) {
        EXPECT_EQ(test.word(at + 8), 0x05050505u);
      }
      at += round_up((length & ~kDiscarded) + 8ull, 8);
      ASSERT_LE(at, test.ring.producer_position());
    }
    for (unsigned records = 0; records < RecordRing::kMostReserved + 8; ++records) {
      test.consume_to(test.ring.producer_position());
      const auto more = test.ring.reserve(test.actor, 8);
      ASSERT_TRUE(more) << "a reservation of the dead was kept";
      test.ring.commit(*more, false);
    }
    test.expect_clean();
    if (WIFEXITED(status)) break;
  }
}
#endif

}  // namespace
}  // namespace portolan::ds
