// SPDX-License-Identifier: Apache-2.0
// Ids, pins, paths on the bpffs, and what an fd stands for.
#include <sys/resource.h>

#include <climits>
#include <fstream>
#include <thread>

#include "base/bytes.h"
#include "object/control.h"
#include "object/world_for_test.h"

namespace portolan::object {
namespace {

using Ids = World;
using Pins = World;
using Paths = World;
using Fds = World;

TEST_F(Ids, go_up_though_lower_ones_are_free_and_each_kind_counts_for_itself) {
  auto first = make(Kind::kMap), second = make(Kind::kMap);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, 1u);
  EXPECT_EQ(second->id, 2u);
  close(std::move(first->fd));
  auto third = make(Kind::kMap), btf = make(Kind::kBtf);
  ASSERT_TRUE(third && btf);
  EXPECT_EQ(third->id, 3u);
  EXPECT_EQ(btf->id, kKernelBtfId + 1);
}

TEST_F(Ids, start_again_at_the_lowest_free_one_after_the_last) {
  auto first = make(Kind::kMap);
  ASSERT_TRUE(first);
  const std::uint32_t last = INT_MAX - 1;
  std::fstream control(path("control"));
  control.seekp(offsetof(Control, next_id) + sizeof(std::uint32_t) * number(Kind::kMap));
  control.write(reinterpret_cast<const char*>(&last), sizeof last);
  control.close();
  auto at_end = make(Kind::kMap), again = make(Kind::kMap);
  ASSERT_TRUE(at_end && again);
  EXPECT_EQ(at_end->id, last);
  EXPECT_EQ(again->id, 2u);
}

TEST_F(Ids, entries_of_what_went_are_used_again) {
  std::vector<Runtime::Published> kept;
  for (int round = 0; round < 3; ++round) {
    auto one = make(Kind::kMap), other = make(Kind::kProg);
    ASSERT_TRUE(one && other);
    kept.push_back(std::move(*one));
    close(std::move(other->fd));
    EXPECT_EQ(runtime_->open_by_id(Kind::kProg, other->id, shm::Access::kReadWrite).error().value, ENOENT);
  }
  std::uint32_t high_water = 0;
  std::ifstream control(path("control"));
  control.seekg(offsetof(Control, high_water));
  control.read(reinterpret_cast<char*>(&high_water), sizeof high_water);
  EXPECT_EQ(high_water, 4u);
  EXPECT_EQ(kept.back().id, 3u);
}

TEST_F(Ids, next_id_walks_in_order_and_skips_what_nobody_holds_any_more) {
  auto a = make(Kind::kMap), b = make(Kind::kMap), c = make(Kind::kMap);
  ASSERT_TRUE(a && b && c);
  b->fd.reset();  // unseen
  EXPECT_EQ(*runtime_->next_id(Kind::kMap, 0), 1u);
  EXPECT_EQ(*runtime_->next_id(Kind::kMap, 1), 3u);
  EXPECT_EQ(runtime_->next_id(Kind::kMap, 3).error().value, ENOENT);
  EXPECT_EQ(runtime_->next_id(Kind::kProg, 0).error().value, ENOENT);
  EXPECT_EQ(runtime_->open_by_id(Kind::kMap, 2, shm::Access::kReadWrite).error().value, ENOENT);
}

TEST_F(Pins, answer_as_the_kernel_does) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  const int bpffs = runtime_->bpffs_fd();
  const auto pin = [&](int dir, const char* name) {
    auto pinned = runtime_->pin(*map->view, dir, name, 0600);
    return pinned ? 0 : pinned.error().value;
  };
  EXPECT_EQ(pin(bpffs, "m"), 0);
  EXPECT_EQ(pin(bpffs, "m"), EEXIST);
  EXPECT_EQ(pin(bpffs, "no/m"), ENOENT);
  EXPECT_EQ(pin(bpffs, "m/n"), ENOTDIR);
  EXPECT_EQ(pin(bpffs, ""), ENOENT);
  EXPECT_EQ(pin(bpffs, "with.dot"), EPERM);
  EXPECT_EQ(pin(bpffs, "."), EEXIST);
  EXPECT_EQ(pin(bpffs, "n/"), ENOENT);
  EXPECT_EQ(pin(AT_FDCWD, path("elsewhere").c_str()), EPERM);
  EXPECT_EQ(pin(AT_FDCWD, path("control").c_str()), EEXIST);
  EXPECT_EQ(pin(AT_FDCWD, path("bpffs/../elsewhere").c_str()), EPERM);
  std::filesystem::create_directory(path("bpffs/d"));
  EXPECT_EQ(pin(AT_FDCWD, path("bpffs/d/m").c_str()), 0);

  const auto get = [&](const char* name) {
    auto read = runtime_->read_pin(bpffs, name);
    return read ? 0 : read.error().value;
  };
  EXPECT_EQ(get("m"), 0);
  EXPECT_EQ(get("d/m"), 0);
  EXPECT_EQ(get("d"), EACCES);
  EXPECT_EQ(get("nothing"), ENOENT);
  EXPECT_EQ(get("with.dot"), EPERM);
  EXPECT_EQ(get("../control"), EACCES);
  std::ofstream(path("bpffs/plain")) << "x";
  EXPECT_EQ(get("plain"), EACCES);
  expect_clean();
}

TEST_F(Pins, have_the_mode_of_the_first) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  ASSERT_TRUE(runtime_->pin(*map->view, runtime_->bpffs_fd(), "m", 0640));
  struct ::stat status{};
  ASSERT_EQ(::stat(path("bpffs/m").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(Pins, outlive_every_process) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  ASSERT_TRUE(runtime_->pin(*map->view, runtime_->bpffs_fd(), "m", 0600));
  map->fd.reset();
  runtime_.reset();
  runtime_ = open_runtime();
  const auto pinned = runtime_->read_pin(runtime_->bpffs_fd(), "m");
  ASSERT_TRUE(pinned);
  EXPECT_TRUE(runtime_->open_by_id(Kind::kMap, pinned->second, shm::Access::kReadOnly));
  expect_clean();
}

TEST_F(Paths, are_translated_lexically) {
  const std::string own = runtime_->directory() + "/bpffs";
  EXPECT_EQ(runtime_->translate_bpffs_path("/sys/fs/bpf"), own);
  EXPECT_EQ(runtime_->translate_bpffs_path("/sys/fs/bpf/"), own);
  EXPECT_EQ(runtime_->translate_bpffs_path("/sys/fs/bpf/a/b"), own + "/a/b");
  EXPECT_EQ(runtime_->translate_bpffs_path("//sys/./fs/x/../bpf//a"), own + "/a");
  EXPECT_EQ(runtime_->translate_bpffs_path("/sys/fs/bpf/a/"), own + "/a/");
  EXPECT_EQ(runtime_->translate_bpffs_path(own + "/a"), own + "/a");
  for (const char* elsewhere :
       {"", "/", "sys/fs/bpf", "/sys/fs/bpfx", "/sys/fs", "/sys/fs/bpf/..", "/tmp/sys/fs/bpf"})
    EXPECT_EQ(runtime_->translate_bpffs_path(elsewhere), std::nullopt) << elsewhere;
}

TEST_F(Fds, a_new_object_gets_the_lowest_free_number) {
  const int lowest = ::open("/dev/null", O_RDONLY);
  ::close(lowest);
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->fd.get(), lowest);
  for (const int own : runtime_->own_fds()) EXPECT_GT(own, 100);
}

TEST_F(Fds, what_is_no_object_is_einval_and_what_is_not_open_is_ebadf) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  EXPECT_EQ(runtime_->target_of_fd(map->fd.get(), Kind::kBtf).error().value, EINVAL);
  EXPECT_EQ(runtime_->target_of_fd(0, Kind::kMap).error().value, EINVAL);
  EXPECT_EQ(runtime_->target_of_fd(-1, Kind::kMap).error().value, EBADF);
  EXPECT_EQ(runtime_->target_of_fd(900, Kind::kMap).error().value, EBADF);
  EXPECT_TRUE(runtime_->is_handle(map->fd.get()));
  EXPECT_FALSE(runtime_->is_handle(0));
  const std::string name = "/proc/self/fd/" + std::to_string(map->fd.get());
  UniqueFd only_path(::open(name.c_str(), O_PATH));
  EXPECT_EQ(runtime_->target_of_any_fd(only_path.get()).error().value, EBADF);
}

TEST_F(Fds, a_number_that_was_used_again_stands_for_the_new_object) {
  auto a = make(Kind::kMap), b = make(Kind::kMap);
  ASSERT_TRUE(a && b);
  const int fd = a->fd.get();
  EXPECT_EQ(runtime_->target_of_fd(fd, Kind::kMap)->view, a->view);
  ASSERT_EQ(::dup2(b->fd.get(), fd), fd);
  runtime_->forget_fd(fd);
  EXPECT_EQ(runtime_->target_of_fd(fd, Kind::kMap)->view, b->view);
}

TEST_F(Fds, running_out_of_them_leaves_nothing_behind) {
  struct ::rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  auto kept = make(Kind::kMap);  // joins
  ASSERT_TRUE(kept);
  const int status = in_child([&] {
    if (!runtime_->actor()) return 9;
    const struct ::rlimit few{24, old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    std::vector<UniqueFd> all;
    for (;;) {
      auto map = make(Kind::kMap);
      if (map) {
        all.push_back(std::move(map->fd));
        continue;
      }
      if (map.error().value != EMFILE) return 1;
      break;
    }
    ::setrlimit(RLIMIT_NOFILE, &old);
    if (!std::filesystem::is_empty(path("staging"))) return 2;
    return all.size() > 5 ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
  runtime_->sweep();
  EXPECT_TRUE(exists(Kind::kMap, 1));
  EXPECT_EQ(runtime_->next_id(Kind::kMap, 1).error().value, ENOENT);
  expect_clean();
}

TEST_F(Fds, threads_make_use_and_close_objects_at_once) {
  std::vector<std::thread> threads;
  sync::Atomic<std::uint32_t> wrong;
  auto shared = make(Kind::kMap);
  ASSERT_TRUE(shared);
  const int fd = shared->fd.get();
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        sync::CallEpoch call;
        auto map = make(Kind::kMap);
        if (!map) {
          wrong.fetch_add_relaxed(1);
          continue;
        }
        auto target = runtime_->target_of_fd(map->fd.get(), Kind::kMap);
        if (!target || target->view->id() != map->id) wrong.fetch_add_relaxed(1);
        if (runtime_->target_of_fd(fd, Kind::kMap)->view->id() != 1) wrong.fetch_add_relaxed(1);
        close(std::move(map->fd));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load_relaxed(), 0u);
  runtime_->sweep();
  EXPECT_EQ(view_log.alive, 1);
  expect_clean();
}

TEST_F(Fds, writable_mappings_are_counted_and_those_of_the_dead_are_not) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  View& view = *map->view;
  EXPECT_FALSE(runtime_->has_writable_mapping(view));
  ASSERT_TRUE(runtime_->add_writable_mapping(view));
  ASSERT_TRUE(runtime_->add_writable_mapping(view));
  runtime_->remove_writable_mapping(view);
  EXPECT_TRUE(runtime_->has_writable_mapping(view));
  runtime_->remove_writable_mapping(view);
  EXPECT_FALSE(runtime_->has_writable_mapping(view));
  EXPECT_EQ(in_child([&] { return runtime_->add_writable_mapping(view) ? 0 : 1; }), 0);
  EXPECT_FALSE(runtime_->has_writable_mapping(view));
}

}  // namespace
}  // namespace portolan::object
