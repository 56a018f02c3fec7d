// SPDX-License-Identifier: Apache-2.0
// The fd is one of a file of the runtime, with an OFD read lock on it: the lock is gone when the last copy of
// the fd is, however its holders end, and anybody may ask whether there is one.
#include "syscall/statistics.h"

#include <fcntl.h>

#include "base/sys.h"

namespace portolan::syscall {
namespace {

constexpr const char kFile[] = "bpf-stats";

Result<UniqueFd> open_file(object::Runtime& runtime, int flags) {
  return UniqueFd(TRY(sys::openat(runtime.directory_fd(), kFile, flags | O_CLOEXEC, 0600)));
}
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Result<UniqueFd> switch_statistics_on(object::Runtime& runtime) {
  UniqueFd fd = TRY(open_file(runtime, O_RDWR | O_CREAT));
  struct flock lock = whole_file(F_RDLCK);
  TRY(sys::fcntl_lock(fd.get(), F_OFD_SETLK, lock));
  return fd;
}

bool statistics_are_on(object::Runtime& runtime) {
  const Result<UniqueFd> fd = open_file(runtime, O_RDWR);
  if (!fd) return false;  // nobody has ever asked for them
  struct flock lock = whole_file(F_WRLCK);
  return sys::fcntl_lock(fd->get(), F_OFD_GETLK, lock) && lock.l_type != F_UNLCK;
}

}  // namespace portolan::syscall
