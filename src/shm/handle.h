// SPDX-License-Identifier: Apache-2.0
// Handle files: what users' fds name. An open description of one is "held" as long as somebody has it open,
// and the kernel itself keeps count: each carries an OFD lock that goes when the last fd and the last mapping
// of it go.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

namespace portolan::shm {

enum class Access : std::uint8_t {
  kReadWrite,
  kReadOnly,
  kWriteOnly
};  // of the fd, as BPF_F_RDONLY and BPF_F_WRONLY ask

// The inode of a handle: its identity. Never what its bytes say.
struct HandleId {
  std::uint64_t device;
  std::uint64_t inode;
  friend bool operator==(const HandleId&, const HandleId&) = default;
};

// Creates a handle without pages. One whose pages users mmap is a Region's file.
Result<void> create_handle(int dir_fd, const char* name);
// Opens a handle by its name and marks the new description as held before it is returned. O_CLOEXEC, as the
// kernel's.
Result<UniqueFd> open_handle(int dir_fd, const char* name, Access access);
// Opens a description that holds nothing: for the runtime's own mapping of user pages and for asking.
Result<UniqueFd> open_handle_unheld(int dir_fd, const char* name);
// Asks, through an unheld description, whether anybody holds the handle. Takes nothing, disturbs nobody.
Result<bool> is_held(int unheld_fd);

Result<HandleId> handle_id(int fd);
Result<Access> handle_access(int fd);  // by F_GETFL

}  // namespace portolan::shm
