// SPDX-License-Identifier: Apache-2.0
// Worlds for tests that need several processes: memory that they share, a directory, children that end as
// told.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "sync/participants.h"

namespace portolan::sync {

// An object in memory that stays shared over fork; all zero at first.
template <class T>
class SharedForTest {
 public:
  SharedForTest() : object_(new(map()) T) {}
  SharedForTest(const SharedForTest&) = delete;
  SharedForTest& operator=(const SharedForTest&) = delete;
  ~SharedForTest() { ::munmap(object_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  static void* map() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return memory;
  }
  T* object_;
};

class DirectoryForTest {
 public:
  DirectoryForTest() {
    std::string name = (std::filesystem::temp_directory_path() / "portolan-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    fd_ = UniqueFd(*sys::openat(AT_FDCWD, path_.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  }
  DirectoryForTest(const DirectoryForTest&) = delete;
  DirectoryForTest& operator=(const DirectoryForTest&) = delete;
  ~DirectoryForTest() { std::filesystem::remove_all(path_); }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd fd_;
};

// What processes need to take part in a runtime.
struct WorldForTest {
  SharedForTest<ParticipantTable> table;
  DirectoryForTest directory;
};

// Runs `body` in a forked child, which exits with what it returns.
template <class Body>
pid_t start_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  return child;
}

// The exit status of a child, or minus the signal that killed it.
inline int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

template <class Body>
int run_child(Body&& body) {
  return wait_for(start_child(body));
}

// A flag that one process raises and others wait for.
struct FlagForTest {
  Atomic<std::uint32_t> raised;
  void raise() { raised.store_release(1); }  // pairs with await
  void await() const {
    while (raised.load_acquire() == 0) sys::yield();  // pairs with raise
  }
};

}  // namespace portolan::sync
