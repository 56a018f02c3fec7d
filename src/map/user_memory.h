// SPDX-License-Identifier: Apache-2.0
// The caller's memory, as far as operations of maps reach into it by themselves (batches).
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/result.h"

namespace portolan::map {

class UserMemory {
 public:
  virtual ~UserMemory() = default;
  // EFAULT. `from` and `to` are addresses in the caller's memory.
  virtual Result<void> copy_in(void* to, std::uint64_t from, std::size_t size) = 0;
  virtual Result<void> copy_out(std::uint64_t to, const void* from, std::size_t size) = 0;
  // The number by which this process knows the caller's fd, valid for this call. EBADF.
  virtual Result<int> resolve_fd(int callers_fd) = 0;
  // A staged value that is an fd of the caller's becomes one of this process's, or -1 where it is none.
  void resolve_fd_in(std::byte* value) {
    int fd;
    std::memcpy(&fd, value, sizeof fd);
    fd = resolve_fd(fd).value_or(-1);
    std::memcpy(value, &fd, sizeof fd);
  }
};

}  // namespace portolan::map
