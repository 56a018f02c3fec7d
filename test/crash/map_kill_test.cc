// SPDX-License-Identifier: Apache-2.0
// Every map type that can be changed: processes that change a map by bpf(2) are killed at random times.
#include "base/sys.h"
#include "killed_writers.h"

namespace portolan::stress {
namespace {

constexpr std::uint64_t kMostSteps = 300;    // of a writer, before it is killed
constexpr std::uint64_t kMostPauses = 2000;  // of the processor, in the midst of a step

struct Progress {
  sync::Atomic<std::uint64_t> steps[kWriters];
};

class KilledAtRandom : public KilledWriters {
 protected:
  void TearDown() override {
    for (std::uint32_t number = 0; number < kWriters; ++number)
      if (writers_[number] > 0) kill(number);
    KilledWriters::TearDown();
  }
  void start_writer(std::uint32_t number) {
    const std::uint64_t seed = dice_();
    writers_[number] = start([this, number, seed](Client& client) -> Problem {
      Writer writer{number, std::mt19937_64(seed)};
      Problem problem = subject_->settle(client, number);
      while (problem.empty()) {
        problem = subject_->change(client, static_cast<unsigned>(writer.dice() % subject_->random_changes()),
                                   writer);
        progress_->steps[number].fetch_add_relaxed(1);
      }
      return problem;
    });
  }
  // By what it was to be; a writer that ends by itself has found something.
  void kill(std::uint32_t number) {
    const pid_t writer = std::exchange(writers_[number], 0);
    ::kill(writer, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(writer, &status, 0), writer);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it ended with status " << status;
  }
  // Until it has made so many changes more.
  void let_work(std::uint32_t number, std::uint64_t steps) {
    const std::uint64_t until = progress_->steps[number].load_relaxed() + steps;
    while (progress_->steps[number].load_relaxed() < until && !HasFailure()) {
      EXPECT_EQ(subject_->tend(*client_), "");
      siginfo_t ended{};
      ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(writers_[number]), &ended, WEXITED | WNOHANG | WNOWAIT), 0);
      ASSERT_EQ(ended.si_pid, 0) << "it ended with status " << ended.si_status;
      sys::yield();
    }
  }

  pid_t writers_[kWriters] = {};
  Shared<Progress> progress_;
  std::mt19937_64 dice_{17};
};

TEST_P(KilledAtRandom, nothing_acknowledged_is_lost_however_writers_die) {
  const std::uint64_t kills = rounds(30);
  std::uint64_t killed = 0;
  const auto kill_one = [&](std::uint32_t number) {
    let_work(number, dice_() % kMostSteps);
    if (HasFailure()) return;
    EXPECT_EQ(subject_->tend(*client_), "");
    for (std::uint64_t pauses = dice_() % kMostPauses; pauses != 0; --pauses) sync::spin_hint();
    kill(number);
    ++killed;
  };
  while (killed < kills && !HasFailure()) {
    be_patient();
    for (std::uint32_t number = 0; number < kWriters; ++number) start_writer(number);
    // Some die while others go on, and have successors; then all.
    for (std::uint32_t n = 0; n < kWriters && !HasFailure(); ++n) {
      const auto number = static_cast<std::uint32_t>(dice_() % kWriters);
      kill_one(number);
      if (!HasFailure()) start_writer(number);
    }
    for (std::uint32_t number = 0; number < kWriters && !HasFailure(); ++number) kill_one(number);
    if (!HasFailure()) expect_whole();
  }
}
INSTANTIATE_TEST_SUITE_P(Maps, KilledAtRandom, testing::ValuesIn(KilledWriters::map_types()),
                         KilledWriters::name_of);

}  // namespace
}  // namespace portolan::stress
