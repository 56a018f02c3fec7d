// SPDX-License-Identifier: Apache-2.0
// A runtime with one map, processes that change it, and what must hold when they have been killed.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>

#include <filesystem>
#include <vector>

#include "base/fault_copy.h"
#include "map_subject.h"

namespace portolan::stress {

class KilledWriters : public testing::TestWithParam<MapRow> {
 public:
  // One row for each map type.
  static std::vector<MapRow> map_types() {
    std::vector<MapRow> rows;
    for (const auto family : {value_maps(), maps_of_fds(), queues(), bloom_filters(), ring_buffers(),
                              user_ring_buffers(), perf_events(), stack_traces()})
      rows.insert(rows.end(), family.begin(), family.end());
    return rows;
  }
  static std::string name_of(const testing::TestParamInfo<MapRow>& at) { return at.param.name; }

 protected:
  void SetUp() override {
    install_fault_handler();
    ::signal(SIGALRM, give_up);
    be_patient();
    std::string pattern = "/dev/shm/portolan-kill-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    subject_ = GetParam().make();
    client_ = std::make_unique<Client>(directory_, subject_->kernel_version());
    subject_->make(*client_);
  }
  void TearDown() override {
    subject_.reset();
    client_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    ::alarm(0);
  }

  // From now on the test may take that long: it fails where it hangs.
  static void be_patient() { ::alarm(kPatience_s); }
  // A process of its own, which ends with its test's.
  template <class Body>
  pid_t start(Body&& body) {
    const pid_t parent = ::getpid(), child = ::fork();
    if (child != 0) return child;
    ::alarm(0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    auto* const client = new Client(directory_);  // goes as it is killed: with the process
    subject_->join(*client);
    const Problem problem = body(*client);
    if (!problem.empty()) fmt::print(stderr, "a writer: {}\n", problem);
    ::_exit(problem.empty() ? 0 : 3);
  }
  void expect_whole() {
    shm::Findings findings;
    client_->runtime().check(findings);
    for (const auto& finding : findings.list())
      EXPECT_NE(finding.severity, shm::Severity::kCorrupt) << finding.where << ": " << finding.what;
    for (std::uint32_t writer = 0; writer < kWriters; ++writer)
      ASSERT_EQ(subject_->settle(*client_, writer), "");
    ASSERT_EQ(subject_->check(*client_), "");
  }

  std::string directory_;
  std::unique_ptr<Subject> subject_;
  std::unique_ptr<Client> client_;

 private:
  static constexpr unsigned kPatience_s = 60;
  static void give_up(int) {
    constexpr char kText[] = "nothing has moved for a minute\n";
    (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
    ::_exit(1);
  }
};

}  // namespace portolan::stress
