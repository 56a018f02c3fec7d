// SPDX-License-Identifier: Apache-2.0
// How long objects live: fds in every form, pins, references.
#include <sys/socket.h>

#include "object/world_for_test.h"

namespace portolan::object {
namespace {

using Lifetime = World;

TEST_F(Lifetime, an_object_goes_with_its_last_fd) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map) << map.error().value;
  EXPECT_EQ(map->id, 1u);
  EXPECT_TRUE(exists(Kind::kMap, 1));
  close(std::move(map->fd));
  EXPECT_FALSE(exists(Kind::kMap, 1));
  EXPECT_FALSE(std::filesystem::exists(path("objects/map1")));
  EXPECT_EQ(view_log.alive, 0);
  expect_clean();
}

TEST_F(Lifetime, a_dup_keeps_it) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  UniqueFd copy(::dup(map->fd.get()));
  close(std::move(map->fd));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  EXPECT_EQ(runtime_->target_of_fd(copy.get(), Kind::kMap)->view->id(), 1u);
  close(std::move(copy));
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, a_second_open_by_id_keeps_it) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  auto second = runtime_->open_by_id(Kind::kMap, 1, shm::Access::kReadOnly);
  ASSERT_TRUE(second);
  close(std::move(map->fd));
  EXPECT_EQ(runtime_->target_of_fd(second->get(), Kind::kMap)->access, shm::Access::kReadOnly);
  close(std::move(*second));
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, a_write_only_fd_keeps_it) {
  auto map = make(Kind::kMap, {}, shm::Access::kWriteOnly);
  ASSERT_TRUE(map);
  EXPECT_EQ(runtime_->target_of_fd(map->fd.get(), Kind::kMap)->access, shm::Access::kWriteOnly);
  EXPECT_TRUE(exists(Kind::kMap, 1));
  close(std::move(map->fd));
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, a_forked_child_keeps_it_until_it_ends) {
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(go[1]);
    char byte;
    ::_exit(::read(go[0], &byte, 1) == 0 ? 0 : 1);
  }
  ::close(go[0]);
  close(std::move(map->fd));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  ::close(go[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, exec_closes_it_unless_asked_otherwise) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  EXPECT_EQ(::fcntl(map->fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  int out[2], hold[2];
  ASSERT_EQ(::pipe(out), 0);
  ASSERT_EQ(::pipe(hold), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(map->fd.get(), 50);  // without FD_CLOEXEC
    ::dup2(out[1], 1);
    ::dup2(hold[0], 0);
    ::close(hold[1]);
    ::execl("/bin/sh", "sh", "-c", "readlink /proc/self/fd/50; read line", nullptr);
    ::_exit(1);
  }
  char line[512] = {};
  ASSERT_GT(::read(out[0], line, sizeof line - 1), 0);
  EXPECT_NE(std::string(line).find("/bpf-map\n"), std::string::npos) << line;
  close(std::move(map->fd));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  for (const int fd : {hold[0], hold[1], out[0], out[1]}) ::close(fd);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, an_fd_in_flight_through_a_socket_keeps_it) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int raw = map->fd.get();
  std::memcpy(CMSG_DATA(header), &raw, sizeof raw);
  ASSERT_EQ(::sendmsg(pair[0], &message, 0), 1);
  close(std::move(map->fd));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  ::close(pair[0]);
  ::close(pair[1]);
  EXPECT_FALSE(exists(Kind::kMap, 1));
}

TEST_F(Lifetime, a_pin_keeps_it_and_plain_rm_lets_it_go) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  ASSERT_TRUE(runtime_->pin(*map->view, runtime_->bpffs_fd(), "m", 0600));
  close(std::move(map->fd));
  const auto pinned = runtime_->read_pin(runtime_->bpffs_fd(), "m");
  ASSERT_TRUE(pinned);
  EXPECT_EQ(*pinned, std::pair(Kind::kMap, 1u));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  std::filesystem::rename(path("bpffs/m"), path("bpffs/moved"));
  EXPECT_TRUE(runtime_->read_pin(runtime_->bpffs_fd(), "moved"));
  EXPECT_TRUE(exists(Kind::kMap, 1));
  std::filesystem::remove(path("bpffs/moved"));
  EXPECT_FALSE(exists(Kind::kMap, 1));
  expect_clean();
}

TEST_F(Lifetime, of_many_views_only_those_of_what_went_are_taken_away) {
  std::vector<Runtime::Published> made;
  for (int i = 0; i < 16; ++i) {
    auto map = make(Kind::kMap);
    ASSERT_TRUE(map);
    made.push_back(std::move(*map));
  }
  for (int gone = 1; gone <= 16; ++gone) {
    close(std::move(made[static_cast<std::size_t>(gone * 5 % 16)].fd));
    runtime_->settle(Kind::kProg, 1);
    EXPECT_EQ(view_log.alive, 16 - gone);
  }
  expect_clean();
}

TEST_F(Lifetime, that_its_users_went_is_told_by_the_first_process_that_can) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  auto prog = make(Kind::kProg, {{Kind::kMap, map->id}});
  ASSERT_TRUE(prog);
  map->fd.reset();  // unseen
  {
    auto without_factories = Runtime::open(directory_, {}, nullptr);
    ASSERT_TRUE(without_factories);
    (*without_factories)->sweep();
  }
  EXPECT_EQ(view_log.urefs_released, 0);
  runtime_->settle(Kind::kMap, 1);
  EXPECT_EQ(view_log.urefs_released, 1);
}

TEST_F(Lifetime, a_referrer_keeps_it_and_its_users_going_is_told_once) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  auto prog = make(Kind::kProg, {{Kind::kMap, map->id}});
  ASSERT_TRUE(prog);
  close(std::move(map->fd));
  EXPECT_EQ(view_log.urefs_released, 1);
  runtime_->settle(Kind::kMap, 1);
  EXPECT_EQ(view_log.urefs_released, 1);
  auto again = runtime_->open_by_id(Kind::kMap, 1, shm::Access::kReadWrite);
  ASSERT_TRUE(again);
  expect_clean();
  close(std::move(*again));
  EXPECT_EQ(view_log.urefs_released, 2);
  close(std::move(prog->fd));
  EXPECT_FALSE(exists(Kind::kProg, 1));
  EXPECT_FALSE(exists(Kind::kMap, 1));
  expect_clean();
}

TEST_F(Lifetime, an_edge_to_what_is_not_there_is_enoent) {
  auto prog = make(Kind::kProg, {{Kind::kMap, 7}});
  ASSERT_FALSE(prog);
  EXPECT_EQ(prog.error().value, ENOENT);
  EXPECT_TRUE(std::filesystem::is_empty(path("staging")));
  EXPECT_TRUE(std::filesystem::is_empty(path("objects")));
}

TEST_F(Lifetime, edges_come_and_go) {
  auto outer = make(Kind::kMap), inner = make(Kind::kMap);
  ASSERT_TRUE(outer && inner);
  ASSERT_TRUE(runtime_->add_edge(*outer->view, {Kind::kMap, 2}));
  close(std::move(inner->fd));
  EXPECT_EQ(runtime_->edges_of(*outer->view)->size(), 1u);
  EXPECT_TRUE(runtime_->view_by_id(Kind::kMap, 2));
  expect_clean();
  ASSERT_TRUE(runtime_->remove_edge(*outer->view, {Kind::kMap, 2}));
  EXPECT_FALSE(runtime_->view_by_id(Kind::kMap, 2));
  EXPECT_EQ(runtime_->remove_edge(*outer->view, {Kind::kMap, 2}).error().value, ENOENT);
  for (int at = 0; at < 8; ++at) ASSERT_TRUE(runtime_->add_edge(*outer->view, {Kind::kMap, 1}));
  EXPECT_EQ(runtime_->add_edge(*outer->view, {Kind::kMap, 1}).error().value, ENOSPC);
}

TEST_F(Lifetime, a_view_stays_mapped_while_a_call_or_a_reference_needs_it) {
  auto map = make(Kind::kMap);
  ASSERT_TRUE(map);
  {
    sync::CallEpoch call;
    close(std::move(map->fd));
    EXPECT_EQ(view_log.alive, 1);
    EXPECT_GE(map->view->payload().size(), 4096u);
  }
  runtime_->sweep();
  EXPECT_EQ(view_log.alive, 0);

  auto second = make(Kind::kMap);
  ASSERT_TRUE(second);
  {
    ViewRef reference(*second->view);
    close(std::move(second->fd));
    EXPECT_EQ(view_log.alive, 1);
    EXPECT_EQ(reference->id(), 2u);
  }
  runtime_->sweep();
  EXPECT_EQ(view_log.alive, 0);
}

}  // namespace
}  // namespace portolan::object
