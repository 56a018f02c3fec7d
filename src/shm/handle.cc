// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Handles: how many descriptions of a file are open, asked of the kernel.
//
// Source        open file description locks (fcntl(2), F_OFD_SETLK): they belong to the description, so dup, fork,
//               exec, SCM_RIGHTS, mmap and any form of close count as the kernel counts its own files.
//
// Layout        byte 0                    a read lock of each description that can read
//               one of bytes 2^62 and up  a write lock of each write-only description, at a place of its own: the
//                                         kernel gives write-only files no read locks
//
// Invariants    a description that a user gets is locked before anybody else has it; none that only the runtime
//               uses is ever locked; so "some lock exists" means "some user description exists".
//
// Linearization opening: F_OFD_SETLK. Last close or last munmap: the kernel's release of the file, which drops the
//               lock. is_held: F_OFD_GETLK for a write lock on the whole file, which any lock contradicts. It takes
//               nothing.
//
// Progress      no waiting: locks are set, not awaited. A write-only description tries another byte when one is
//               taken.
//
// Crash table   killed before the lock: the description goes with the process. After it: the lock goes with the
//               description, when its last holder does.
// clang-format on
#include "shm/handle.h"

#include "base/random.h"

namespace portolan::shm {
namespace {

Result<void> hold(int fd, Access access) {
  struct ::flock lock{};
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  if (access != Access::kWriteOnly) {
    lock.l_type = F_RDLCK;
    return sys::fcntl_lock(fd, F_OFD_SETLK, lock);
  }
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 62, kPlaces = kFirst - 1;  // below the largest offset
  for (std::uint64_t place = random_u64();; ++place) {
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(kFirst + place % kPlaces);
    const auto locked = sys::fcntl_lock(fd, F_OFD_SETLK, lock);
    if (locked || (locked.error().value != EAGAIN && locked.error().value != EACCES)) return locked;
  }
}

int open_flags(Access access) {
  switch (access) {
    case Access::kReadWrite:
      return O_RDWR;
    case Access::kReadOnly:
      return O_RDONLY;
    case Access::kWriteOnly:
      return O_WRONLY;
  }
  __builtin_unreachable();
}

}  // namespace

Result<void> create_handle(int dir_fd, const char* name) {
  const UniqueFd fd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)));
  return {};
}

Result<UniqueFd> open_handle(int dir_fd, const char* name, Access access) {
  UniqueFd fd(TRY(sys::openat(dir_fd, name, open_flags(access) | O_CLOEXEC | O_NOFOLLOW)));
  TRY(hold(fd.get(), access));
  return fd;
}

Result<UniqueFd> open_handle_unheld(int dir_fd, const char* name) {
  return UniqueFd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW)));
}

Result<bool> is_held(int unheld_fd) {
  struct ::flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  TRY(sys::fcntl_lock(unheld_fd, F_OFD_GETLK, lock));
  return lock.l_type != F_UNLCK;
}

Result<HandleId> handle_id(int fd) {
  struct ::stat status{};
  TRY(sys::fstat(fd, status));
  return HandleId{status.st_dev, status.st_ino};
}

Result<Access> handle_access(int fd) {
  switch (TRY(sys::fcntl(fd, F_GETFL, 0)) & O_ACCMODE) {
    case O_RDONLY:
      return Access::kReadOnly;
    case O_WRONLY:
      return Access::kWriteOnly;
    case O_RDWR:
      return Access::kReadWrite;
  }
  return fail(EBADF);
}

}  // namespace portolan::shm
