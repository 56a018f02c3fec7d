// SPDX-License-Identifier: Apache-2.0
#include "shm/handle.h"

#include "base/random.h"
#include "shm/region.h"

namespace portolan::shm {
namespace {

// Readers share byte 0; each write-only description has a byte of its own beyond it.
Result<void> hold(int fd, Access access) {
  struct ::flock lock{};
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  if (access != Access::kWriteOnly) {
    lock.l_type = F_RDLCK;
    return sys::fcntl_lock(fd, F_OFD_SETLK, lock);
  }
  for (;;) {
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(1 + (random_u64() >> 2));
    auto locked = sys::fcntl_lock(fd, F_OFD_SETLK, lock);
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

Result<void> create_handle(int dir_fd, const char* name, std::uint64_t user_bytes) {
  UniqueFd fd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
  if (user_bytes == 0) return {};
  user_bytes = round_up(user_bytes, kPageSize);
  auto build = [&]() -> Result<void> {
    TRY(look_for_room(fd.get(), user_bytes, user_bytes));
    if (auto reserved = sys::fallocate(fd.get(), 0, 0, user_bytes); !reserved) {
      const int error = reserved.error().value;
      return fail(error == ENOSPC || error == EFBIG || error == EDQUOT ? ENOMEM : error);
    }
    return {};
  };
  auto built = build();
  if (!built) (void)sys::unlinkat(dir_fd, name, 0);
  return built;
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
