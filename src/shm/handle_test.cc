// SPDX-License-Identifier: Apache-2.0
#include "shm/handle.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>

#include "base/random.h"
#include "sync/process_for_test.h"

namespace portolan::shm {
namespace {

using sync::DirectoryForTest;
using sync::run_child;
using sync::start_child;
using sync::wait_for;

constexpr Access kAll[] = {Access::kReadWrite, Access::kReadOnly, Access::kWriteOnly};

class Handle : public ::testing::Test {
 protected:
  Handle() {
    EXPECT_TRUE(create_handle(directory_.fd(), "bpf-map"));
    unheld_ = *open_handle_unheld(directory_.fd(), "bpf-map");
  }
  UniqueFd open(Access access) { return *open_handle(directory_.fd(), "bpf-map", access); }
  bool held() { return *is_held(unheld_.get()); }

  DirectoryForTest directory_;
  UniqueFd unheld_;
};

TEST_F(Handle, is_not_held_by_those_who_only_ask) {
  EXPECT_FALSE(held());
  const UniqueFd another = *open_handle_unheld(directory_.fd(), "bpf-map");
  EXPECT_FALSE(held());
}

TEST_F(Handle, is_held_until_the_last_close_whatever_the_access) {
  for (const Access access : kAll) {
    UniqueFd one = open(access), two = open(access);
    EXPECT_EQ(*handle_access(one.get()), access);
    EXPECT_TRUE(held());
    one.reset();
    EXPECT_TRUE(held());
    two.reset();
    EXPECT_FALSE(held());
  }
}

TEST_F(Handle, all_kinds_of_access_live_side_by_side) {
  UniqueFd fds[3];
  for (int i = 0; i < 3; ++i) fds[i] = open(kAll[i]);
  for (UniqueFd& fd : fds) {
    EXPECT_TRUE(held());
    fd.reset();
  }
  EXPECT_FALSE(held());
}

TEST_F(Handle, write_only_descriptions_find_another_place_when_theirs_is_taken) {
  set_random_for_test([] { return ~std::uint64_t{0}; });
  UniqueFd one = open(Access::kWriteOnly), two = open(Access::kWriteOnly), three = open(Access::kWriteOnly);
  set_random_for_test(nullptr);
  one.reset();
  three.reset();
  EXPECT_TRUE(held());
  two.reset();
  EXPECT_FALSE(held());
}

TEST_F(Handle, duplicate_holds_after_the_first_is_closed) {
  for (const Access access : kAll) {
    UniqueFd fd = open(access);
    UniqueFd duplicate(::dup(fd.get()));
    fd.reset();
    EXPECT_TRUE(held());
    duplicate.reset();
    EXPECT_FALSE(held());
  }
}

TEST_F(Handle, closing_the_asking_description_disturbs_nobody) {
  const UniqueFd fd = open(Access::kReadWrite);
  {
    const UniqueFd asking = *open_handle_unheld(directory_.fd(), "bpf-map");
  }
  EXPECT_TRUE(held());
}

TEST_F(Handle, forked_child_holds_until_it_ends) {
  UniqueFd fd = open(Access::kReadWrite);
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const pid_t child = start_child([&] {
    char byte;
    ::close(pipe_fds[1]);
    return static_cast<int>(::read(pipe_fds[0], &byte, 1));  // until the parent closes its end
  });
  ::close(pipe_fds[0]);
  fd.reset();
  EXPECT_TRUE(held());
  ::close(pipe_fds[1]);
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_FALSE(held());
}

TEST_F(Handle, killed_child_holds_no_more) {
  UniqueFd fd = open(Access::kReadWrite);
  const pid_t child = start_child([&] {
    for (;;) ::pause();
    return 0;
  });
  fd.reset();
  EXPECT_TRUE(held());
  ::kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child), -SIGKILL);
  EXPECT_FALSE(held());
}

TEST_F(Handle, fd_that_survives_exec_holds_and_one_that_does_not_lets_go) {
  for (const bool survives : {true, false}) {
    UniqueFd fd = open(Access::kReadWrite);
    int to_child[2], from_child[2];
    ASSERT_EQ(::pipe2(to_child, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(from_child, O_CLOEXEC), 0);
    const pid_t child = start_child([&] {
      if (survives) ::fcntl(fd.get(), F_SETFD, 0);
      ::dup2(to_child[0], 0);
      ::dup2(from_child[1], 1);
      ::execl("/bin/sh", "sh", "-c", "echo; read line", nullptr);
      return 1;
    });
    ::close(to_child[0]);
    ::close(from_child[1]);
    fd.reset();
    char byte;
    ASSERT_EQ(::read(from_child[0], &byte, 1), 1);  // the other program runs
    EXPECT_EQ(held(), survives);
    ASSERT_EQ(::write(to_child[1], "\n", 1), 1);
    EXPECT_EQ(wait_for(child), 0);
    EXPECT_FALSE(held());
    ::close(to_child[1]);
    ::close(from_child[0]);
  }
}

TEST_F(Handle, fd_in_flight_over_a_socket_holds) {
  UniqueFd fd = open(Access::kWriteOnly);
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  char byte = 'x';
  ::iovec part{&byte, 1};
  alignas(::cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  ::msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ::cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = fd.get();
  std::memcpy(CMSG_DATA(header), &sent, sizeof sent);
  ASSERT_EQ(::sendmsg(sockets[0], &message, 0), 1);
  fd.reset();
  EXPECT_TRUE(held());
  ASSERT_EQ(::recvmsg(sockets[1], &message, 0), 1);
  int received;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  EXPECT_TRUE(held());
  EXPECT_EQ(*handle_access(received), Access::kWriteOnly);
  ::close(received);
  EXPECT_FALSE(held());
  ::close(sockets[0]);
  ::close(sockets[1]);
}

TEST_F(Handle, mapping_holds_after_the_close) {
  UniqueFd fd = open(Access::kReadWrite);
  void* pages = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(pages, MAP_FAILED);
  fd.reset();
  EXPECT_TRUE(held());
  ::munmap(pages, 4096);
  EXPECT_FALSE(held());
}

TEST_F(Handle, other_processes_see_the_same) {
  UniqueFd fd = open(Access::kReadOnly);
  const auto ask = [&] {
    fd.reset();  // the child's inherited copy
    const UniqueFd own = *open_handle_unheld(directory_.fd(), "bpf-map");
    return *is_held(own.get()) ? 1 : 0;
  };
  EXPECT_EQ(run_child(ask), 1);
  fd.reset();
  EXPECT_EQ(run_child(ask), 0);
}

TEST_F(Handle, identity_is_the_inode) {
  ASSERT_TRUE(create_handle(directory_.fd(), "other"));
  const UniqueFd one = open(Access::kReadOnly), two = open(Access::kWriteOnly);
  const UniqueFd other = *open_handle(directory_.fd(), "other", Access::kReadWrite);
  EXPECT_EQ(*handle_id(one.get()), *handle_id(two.get()));
  EXPECT_FALSE(*handle_id(one.get()) == *handle_id(other.get()));
  EXPECT_EQ(handle_id(-1).error().value, EBADF);
  EXPECT_EQ(handle_access(-1).error().value, EBADF);
}

TEST_F(Handle, fds_are_closed_on_exec) {
  EXPECT_EQ(::fcntl(open(Access::kReadWrite).get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Handle, creation_is_exclusive) {
  EXPECT_EQ(create_handle(directory_.fd(), "bpf-map").error().value, EEXIST);
}

}  // namespace
}  // namespace portolan::shm
