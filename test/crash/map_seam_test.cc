// SPDX-License-Identifier: Apache-2.0
// Every map type that can be changed: a process is killed before each single store of each kind of change.
#include "sync/seam.h"

#ifdef PORTOLAN_SEAMS  // presets debug and asan; elsewhere no kill can be planted
#include "ds/record_ring.h"
#include "killed_writers.h"
#include "map/ring_buffer.h"

namespace portolan::stress {
namespace {

constexpr std::uint64_t kSeeds = 4;            // which of its keys a change takes, and how
constexpr std::uint64_t kSeamsOfTheNotes = 3;  // at least one more is the map's

class KilledAtEachStore : public KilledWriters {
 protected:
  // Makes one change in a process that is killed at that seam; false: it got through.
  bool kill_at(std::uint64_t seam, unsigned kind, std::uint64_t seed) {
    be_patient();
    const pid_t child = start([&](Client& client) {
      Writer writer{0, std::mt19937_64(seed)};
      sync::kill_at_seam(seam);
      Problem problem = subject_->change(client, kind, writer);
      sync::kill_at_seam(0);
      return problem;
    });
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
    return WIFSIGNALED(status);
  }
};

TEST_P(KilledAtEachStore, a_change_happened_or_did_not) {
  for (unsigned kind = 0; kind < subject_->changes().size() && !HasFailure(); ++kind)
    for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
      bool killed = true;
      std::uint64_t seam = 0;
      while (killed && !HasFailure()) {
        SCOPED_TRACE(testing::Message()
                     << subject_->changes()[kind] << " of seed " << seed << ", killed at seam " << ++seam);
        ASSERT_LT(seam, 2000u);
        ASSERT_EQ(subject_->get_ready(*client_, kind), "");
        killed = kill_at(seam, kind, seed);
        expect_whole();
      }
      EXPECT_TRUE(HasFailure() || seam > kSeamsOfTheNotes) << "there was nothing to change";
    }
}
INSTANTIATE_TEST_SUITE_P(Maps, KilledAtEachStore, testing::ValuesIn(KilledWriters::map_types()),
                         KilledWriters::name_of);

class RingKilledAtEachStore : public KilledAtEachStore {
 protected:
  const ds::RecordRing& ring() {
    const auto id = client_->runtime().next_id(object::Kind::kMap, 0);
    PORTOLAN_ASSERT(id);
    const auto view = client_->runtime().view_by_id(object::Kind::kMap, *id);
    PORTOLAN_ASSERT(view);
    return static_cast<map::Map*>(*view)->ring_buffer()->ring();
  }
};

// Each death leaves a reservation that nobody needs, of which there are only so many.
TEST_P(RingKilledAtEachStore, producers_that_die_right_after_their_commit_use_up_nothing) {
  constexpr unsigned kSubmit = 0;
  const auto dies_with_its_record_there = [&](std::uint64_t seam) {
    EXPECT_EQ(subject_->get_ready(*client_, kSubmit), "");
    EXPECT_TRUE(kill_at(seam, kSubmit, 1));
    const bool is_there = ring().available() != 0 && !ring().is_held_up();
    EXPECT_EQ(subject_->tend(*client_), "");
    return is_there;
  };
  std::uint64_t seam = 1;
  while (!dies_with_its_record_there(seam) && !HasFailure()) ++seam;
  // Now and then a reservation takes a store more, and that seam comes before the commit.
  constexpr std::uint32_t kDeaths = ds::RecordRing::kMostReserved + kWriters;
  for (std::uint32_t left = kDeaths, deaths = 0; left != 0 && !HasFailure(); ++deaths) {
    ASSERT_LT(deaths, 2 * kDeaths) << left << " to come";
    left -= dies_with_its_record_there(seam);
  }
  expect_whole();
}
INSTANTIATE_TEST_SUITE_P(Maps, RingKilledAtEachStore, testing::ValuesIn(ring_buffers()),
                         KilledWriters::name_of);

}  // namespace
}  // namespace portolan::stress
#endif
