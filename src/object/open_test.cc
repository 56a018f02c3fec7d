// SPDX-License-Identifier: Apache-2.0
// Opening a runtime: what is refused and what is said; damaged files; private directories.
#include <fcntl.h>

#include <fstream>
#include <random>

#include "object/control.h"
#include "object/world_for_test.h"

namespace portolan::object {
namespace {

using Opening = World;

std::string refusal(const std::string& directory, const RuntimeOptions& options = {}) {
  std::string why;
  auto opened = Runtime::open(directory, options, &why);
  return opened ? "opened" : why;
}

TEST_F(Opening, says_what_it_is_and_takes_the_machines_cpus) {
  EXPECT_EQ(runtime_->kernel_version(), 6u << 16 | 18 << 8);
  EXPECT_GT(runtime_->possible_cpus(), 0u);
  EXPECT_EQ(runtime_->vcpus().count(), runtime_->possible_cpus());
}

TEST_F(Opening, another_version_or_cpu_count_is_refused_with_a_sentence) {
  const RuntimeOptions older{.kernel_version = 5 << 16 | 10 << 8};
  const std::string version = refusal(directory_, older);
  EXPECT_NE(version.find(directory_), version.npos);
  EXPECT_NE(version.find("6.18.0"), version.npos) << version;
  const std::string cpus = refusal(directory_, {.possible_cpus = 77});
  EXPECT_NE(cpus.find("77"), cpus.npos) << cpus;
  EXPECT_EQ(refusal(directory_), "opened");
}

TEST_F(Opening, a_directory_that_is_not_there_is_made_only_if_asked) {
  const std::string fresh = path("a/b/c");
  const std::string why = refusal(fresh, {.create = false});
  EXPECT_NE(why.find("No such file"), why.npos) << why;
  EXPECT_EQ(refusal(fresh), "opened");
  std::filesystem::create_directory(path("empty"));
  EXPECT_NE(refusal(path("empty"), {.create = false}).find("no Portolan runtime"), std::string::npos);
}

// Somebody has written to the region: two objects get one serial, and the first view must not be used any
// more.
TEST_F(Opening, a_serial_that_comes_twice_is_survived) {
  sync::CallEpoch epoch;
  const auto region = shm::Region::open(AT_FDCWD, path("control").c_str(), sizeof(Control));
  ASSERT_TRUE(region);
  auto& next_serial = region->at<Control>(0)->next_serial;
  const std::uint64_t serial = next_serial.load_relaxed();
  auto first = make(Kind::kMap);
  next_serial.store_relaxed(serial);
  auto second = make(Kind::kMap);
  ASSERT_TRUE(first && second);
  for (const int fd : {first->fd.get(), second->fd.get()}) {
    runtime_->forget_fd(fd);
    (void)runtime_->target_of_any_fd(fd);
    runtime_->forget_fd(fd);
    (void)runtime_->target_of_any_fd(fd);
  }
}

TEST_F(Opening, a_place_that_cannot_be_written_is_named) {
  EXPECT_NE(refusal("/proc/nowhere/runtime").find("/proc/nowhere/runtime"), std::string::npos);
  EXPECT_NE(refusal(path("control")).find("Not a directory"), std::string::npos);
  EXPECT_EQ(refusal(""), "the runtime's directory is an empty name");
}

TEST_F(Opening, a_control_file_that_is_short_or_foreign_is_refused) {
  runtime_.reset();
  std::filesystem::resize_file(path("control"), 100);
  EXPECT_NE(refusal(directory_).find("100 bytes"), std::string::npos);
  std::filesystem::resize_file(path("control"), 0);
  EXPECT_NE(refusal(directory_), "opened");
  std::filesystem::resize_file(path("control"), sizeof(Control));
  EXPECT_NE(refusal(directory_).find("no Portolan file"), std::string::npos);
  std::filesystem::remove(path("control"));
  std::filesystem::create_directory(path("control"));
  EXPECT_NE(refusal(directory_), "opened");
}

// Whatever the table says, looking at it does not crash or hang.
TEST_F(Opening, damaged_tables_and_states_give_errors) {
  auto map = make(Kind::kMap), other = make(Kind::kMap);
  ASSERT_TRUE(map && other);
  ASSERT_TRUE(runtime_->pin(*map->view, runtime_->bpffs_fd(), "a", 0600));
  ASSERT_TRUE(runtime_->pin(*other->view, runtime_->bpffs_fd(), "b", 0600));
  map->fd.reset();
  other->fd.reset();
  runtime_.reset();
  const auto bytes_of_file = [](const std::string& name, std::size_t size) {
    std::string bytes(size, '\0');
    std::ifstream(name).read(bytes.data(), static_cast<std::streamsize>(size));
    return bytes;
  };
  const auto put = [](const std::string& name, std::size_t at, std::string_view bytes) {
    std::fstream file(name);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  const std::string head = bytes_of_file(path("control"), offsetof(Control, participants));
  const std::string entries = [&] {
    std::string bytes(4 * sizeof(Entry), '\0');
    std::ifstream file(path("control"));
    file.seekg(offsetof(Control, entries));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }();
  std::mt19937 dice(7);
  for (int round = 0; round < 200; ++round) {
    std::string bad_head = head, bad_entries = entries;
    // Not the lock's word, which would name somebody alive: that is a stopped owner, and waiting is right.
    for (int flip = 0; flip < 4; ++flip) {
      const std::size_t at = dice() % head.size();
      if (at < offsetof(Control, object_lock) || at >= offsetof(Control, object_lock) + 8)
        bad_head[at] = static_cast<char>(dice());
      bad_entries[dice() % entries.size()] = static_cast<char>(dice());
    }
    put(path("control"), 0, bad_head);
    put(path("control"), offsetof(Control, entries), bad_entries);
    std::string why;
    auto opened = Runtime::open(directory_, {}, &why);
    if (!opened) {
      EXPECT_FALSE(why.empty());
    } else {
      (*opened)->set_view_factory(Kind::kMap, PlainView::make);
      shm::Findings findings;
      (*opened)->check(findings);
      for (std::uint32_t id = 0; id < 4; ++id) (void)(*opened)->view_by_id(Kind::kMap, id);
      (void)(*opened)->read_pin((*opened)->bpffs_fd(), "a");
    }
    put(path("control"), 0, head);
    put(path("control"), offsetof(Control, entries), entries);
  }
  runtime_ = open_runtime();
}

TEST_F(Opening, an_object_with_a_damaged_head_is_einval_and_found_by_check) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  const auto fresh = [&] {
    runtime_.reset();
    runtime_ = open_runtime();
  };
  ASSERT_TRUE(runtime_->pin(*map->view, runtime_->bpffs_fd(), "m", 0600));
  const std::string state = path("objects/map1/state");
  struct Damage {
    std::size_t at;
    std::uint32_t value;
  };
  for (const auto [at, value] :
       {Damage{0, 1}, Damage{offsetof(ObjectHeader, uuid), 1},
        Damage{offsetof(ObjectHeader, payload_offset), ~0u},
        Damage{offsetof(ObjectHeader, payload_offset), 8}, Damage{offsetof(ObjectHeader, max_edges), ~0u}}) {
    std::fstream file(state);
    std::uint32_t old = 0;
    file.seekg(static_cast<std::streamoff>(at));
    file.read(reinterpret_cast<char*>(&old), sizeof old);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
    file.flush();
    fresh();
    EXPECT_EQ(runtime_->target_of_fd(map->fd.get(), Kind::kMap).error().value, EINVAL) << at;
    shm::Findings findings;
    runtime_->check(findings);
    EXPECT_FALSE(findings.clean()) << at;
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(&old), sizeof old);
    file.flush();
  }
  fresh();
  EXPECT_TRUE(runtime_->target_of_fd(map->fd.get(), Kind::kMap));
  expect_clean();
}

TEST_F(Opening, what_all_processes_left_is_swept_by_the_next) {
  EXPECT_EQ(in_child([&] {
              auto map = make(Kind::kMap);
              auto draft = runtime_->draft(Kind::kMap, 64, 64, 0, 0);
              ::raise(SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  EXPECT_FALSE(std::filesystem::is_empty(path("staging")));
  runtime_.reset();
  runtime_ = open_runtime();
  EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
  EXPECT_TRUE(std::filesystem::is_empty(path("objects")));
  expect_clean();
}

TEST(PrivateDirectory, is_fresh_closed_to_others_and_goes_when_nothing_lives_in_it) {
  std::string why;
  auto directory = Runtime::make_private_directory(&why);
  ASSERT_TRUE(directory) << why;
  struct ::stat status{};
  ASSERT_EQ(::stat(directory->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  // Nobody takes away what is just being made.
  EXPECT_EQ(Runtime::remove_private_directory(*directory).error().value, EBUSY);
  auto runtime = Runtime::open(*directory, {}, &why);
  ASSERT_TRUE(runtime) << why;
  EXPECT_EQ(Runtime::remove_private_directory(*directory).error().value, EBUSY);
  (*runtime)->set_view_factory(Kind::kMap, PlainView::make);
  auto map = (*runtime)->publish(*(*runtime)->draft(Kind::kMap, 64, 64, 0, 0), {}, shm::Access::kReadWrite);
  ASSERT_TRUE(map);
  runtime->reset();
  EXPECT_EQ(Runtime::remove_private_directory(*directory).error().value, EBUSY);
  map->fd.reset();
  EXPECT_TRUE(Runtime::remove_private_directory(*directory));
  EXPECT_FALSE(std::filesystem::exists(*directory));
}

TEST(PrivateDirectory, is_cleared_away_later_if_its_process_was_killed) {
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string why;
    auto directory = Runtime::make_private_directory(&why);
    auto runtime = Runtime::open(*directory, {}, &why);
    (void)!::write(out[1], directory->data(), directory->size());
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  char name[256] = {};
  ASSERT_GT(::read(out[0], name, sizeof name - 1), 0);
  EXPECT_TRUE(std::filesystem::exists(name));
  std::string why;
  auto other = Runtime::make_private_directory(&why);
  ASSERT_TRUE(other);
  EXPECT_FALSE(std::filesystem::exists(name));
  std::filesystem::remove_all(*other);
}

TEST(PrivateDirectory, no_other_directory_is_ever_removed) {
  EXPECT_EQ(Runtime::remove_private_directory("/tmp").error().value, EINVAL);
  EXPECT_EQ(Runtime::remove_private_directory("/dev/shm/").error().value, EINVAL);
}

}  // namespace
}  // namespace portolan::object
