// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <utility>

#include "base/sys.h"

namespace portolan {

// Owns a file descriptor; closes it by the raw system call.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) (void)sys::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// The same open file under a number of 512 or more, where that can be had: our own fds stay out of the way of
// a client's, which expects the lowest free number.
inline UniqueFd raised(UniqueFd fd) {
  if (auto high = sys::fcntl(fd.get(), F_DUPFD_CLOEXEC, 512); high) return UniqueFd(*high);
  return fd;
}

}  // namespace portolan
