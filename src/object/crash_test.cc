// SPDX-License-Identifier: Apache-2.0
// A process is killed at every seam of every operation that changes a runtime; the next must find it whole.
#include "object/world_for_test.h"

namespace portolan::object {
namespace {

using Crash = World;

#ifdef PORTOLAN_SEAMS

// Runs `body` in a child that is killed at seam 1, 2, … until it gets through; `afterwards` looks at what is
// left.
void kill_at_every_seam(const std::function<void()>& prepare, const std::function<void()>& body,
                        const std::function<void(bool)>& afterwards) {
  for (std::uint64_t seam = 1; seam < 2000; ++seam) {
    SCOPED_TRACE(seam);
    prepare();
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      body();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const bool through = WIFEXITED(status);
    afterwards(through);
    if (through) {
      EXPECT_GT(seam, 10u);  // else the seams were not there
      return;
    }
    if (testing::Test::HasFailure()) return;
  }
  ADD_FAILURE() << "never got through";
}

TEST_F(Crash, in_publish_leaves_nothing) {
  auto target = make(Kind::kMap);
  ASSERT_TRUE(target);
  kill_at_every_seam([] {}, [&] { (void)make(Kind::kProg, {{Kind::kMap, 1}}); },
                     [&](bool) {
                       runtime_->sweep();
                       EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
                       EXPECT_EQ(runtime_->next_id(Kind::kProg, 0).error().value, ENOENT);
                       EXPECT_TRUE(exists(Kind::kMap, 1));
                       expect_clean();
                     });
}

// The pin is all that keeps the program, and the program all that keeps the map.
TEST_F(Crash, in_settle_buries_it_sooner_or_later) {
  std::uint32_t prog_id = 0;
  kill_at_every_seam(
      [&] {
        auto map = make(Kind::kMap);
        ASSERT_TRUE(map);
        auto prog = make(Kind::kProg, {{Kind::kMap, map->id}});
        ASSERT_TRUE(prog);
        prog_id = prog->id;
        ASSERT_TRUE(runtime_->pin(*prog->view, runtime_->bpffs_fd(), "p", 0600));
        close(std::move(map->fd));
        close(std::move(prog->fd));
        ASSERT_EQ(::unlink(path("bpffs/p").c_str()), 0);
      },
      [&] { runtime_->settle(Kind::kProg, prog_id); },
      [&](bool) {
        runtime_->sweep();
        EXPECT_EQ(runtime_->next_id(Kind::kProg, 0).error().value, ENOENT);
        EXPECT_EQ(runtime_->next_id(Kind::kMap, 0).error().value, ENOENT);
        EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
        EXPECT_TRUE(std::filesystem::is_empty(path("objects")));
        expect_clean();
      });
}

TEST_F(Crash, in_the_whole_life_of_an_object_leaves_a_clean_runtime) {
  kill_at_every_seam([] {},
                     [&] {
                       auto map = make(Kind::kMap), inner = make(Kind::kMap);
                       if (!map || !inner) return;
                       (void)runtime_->add_edge(*map->view, {Kind::kMap, inner->id});
                       (void)runtime_->pin(*map->view, runtime_->bpffs_fd(), "m", 0600);
                       close(std::move(inner->fd));
                       (void)runtime_->remove_edge(*map->view, {Kind::kMap, inner->id});
                       (void)runtime_->add_writable_mapping(*map->view);
                       ::unlink(path("bpffs/m").c_str());
                       close(std::move(map->fd));
                     },
                     [&](bool) {
                       const auto pinned = runtime_->read_pin(runtime_->bpffs_fd(), "m");
                       runtime_->sweep();
                       expect_clean();
                       if (pinned) {
                         EXPECT_TRUE(exists(Kind::kMap, pinned->second));
                         ::unlink(path("bpffs/m").c_str());
                         runtime_->sweep();
                       }
                       EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
                       EXPECT_TRUE(std::filesystem::is_empty(path("objects")));
                     });
}

TEST_F(Crash, in_the_making_of_a_runtime_does_not_spoil_the_directory) {
  const std::string fresh = path("fresh");
  kill_at_every_seam([] {},
                     [&] {
                       std::string why;
                       auto made = Runtime::open(fresh, {}, &why);
                       if (made) (void)(*made)->actor();
                     },
                     [&](bool) {
                       std::string why;
                       auto opened = Runtime::open(fresh, {}, &why);
                       ASSERT_TRUE(opened) << why;
                       (*opened)->sweep();
                       shm::Findings findings;
                       (*opened)->check(findings);
                       EXPECT_TRUE(findings.list().empty());
                       opened->reset();
                       std::filesystem::remove_all(fresh);
                     });
}

#else

// Without seams: at points that only the operations themselves choose.
TEST_F(Crash, at_random_times_leaves_a_clean_runtime) {
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) {
        auto map = make(Kind::kMap);
        if (!map) ::_exit(1);
        auto prog = make(Kind::kProg, {{Kind::kMap, map->id}});
        close(std::move(map->fd));
      }
    for (int own = 0; own < 10 + round; ++own) {
      auto map = make(Kind::kMap);
      ASSERT_TRUE(map);
      close(std::move(map->fd));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    runtime_->sweep();
    expect_clean();
    EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
    EXPECT_TRUE(std::filesystem::is_empty(path("objects")));
  }
}

#endif

}  // namespace
}  // namespace portolan::object
