// SPDX-License-Identifier: Apache-2.0
// read, write and the like on a map's fd: the kernel has no such operations there, our handle is a file that
// would.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>

#include "shim/iterator_files.h"
#include "shim/path.h"
#include "shim/perf_event.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

bool is_handle(int fd) {
  object::Runtime* there = runtime_if_open();
  return there != nullptr && there->is_handle(fd);
}

bool may(int fd, int what) {
  const long flags = sys::call(SYS_fcntl, fd, F_GETFL);
  return flags >= 0 && ((flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == what);
}

// What the kernel answers for an fd opened without the right, before it looks for the operation.
long refusal(int fd, int what, long otherwise) { return may(fd, what) ? otherwise : -EBADF; }

long read_handle(int fd, void* to, std::size_t size) {
  const sync::CallEpoch epoch;
  if (const map::PerfEvent* const event = perf_event_behind(fd); event != nullptr)
    return read_perf_event(*event, to, size);
  if (hook::Iterator* const iterator = iterator_behind(fd); iterator != nullptr)
    return read_iterator(*iterator, to, size);
  return refusal(fd, O_RDONLY, -EINVAL);
}

long read_handle(int fd, const struct iovec* list, int count) {
  const sync::CallEpoch epoch;
  if (hook::Iterator* const iterator = iterator_behind(fd); iterator != nullptr)
    return read_iterator(*iterator, list, count);
  return refusal(fd, O_RDONLY, -EINVAL);
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

// One that the kernel refuses with `error` on a map's fd; else the system call.
#define IO_CALL(type, name, parameters, error, number, ...)                                  \
  PORTOLAN_SHIM_EXPORT type name parameters {                                                \
    if (is_handle(fd)) [[unlikely]]                                                          \
      return static_cast<type>(libc_result(error));                                          \
    return static_cast<type>(libc_result(sys::call(number, fd __VA_OPT__(, ) __VA_ARGS__))); \
  }
#define SIZE(x) static_cast<long>(x)

// A process that was given a handle, and has had no other business with us, finds an empty file.
PORTOLAN_SHIM_EXPORT ssize_t read(int fd, void* out, size_t size) {
  if (is_handle(fd)) [[unlikely]]
    return libc_result(read_handle(fd, out, size));
  const long result = sys::call(SYS_read, fd, word(out), SIZE(size));
  if (result == 0 && size != 0 && runtime_if_open() == nullptr && runtime_of_given(fd) != nullptr &&
      is_handle(fd))
    return libc_result(read_handle(fd, out, size));
  return libc_result(result);
}
IO_CALL(ssize_t, write, (int fd, const void* in, size_t size), refusal(fd, O_WRONLY, -EINVAL), SYS_write,
        word(in), SIZE(size))
IO_CALL(ssize_t, readv, (int fd, const struct iovec* list, int count), read_handle(fd, list, count),
        SYS_readv, word(list), count)
IO_CALL(ssize_t, writev, (int fd, const struct iovec* list, int count), refusal(fd, O_WRONLY, -EINVAL),
        SYS_writev, word(list), count)
IO_CALL(int, fsync, (int fd), -EINVAL, SYS_fsync)
IO_CALL(int, fdatasync, (int fd), -EINVAL, SYS_fdatasync)
IO_CALL(int, fchmod, (int fd, mode_t mode) noexcept, -EOPNOTSUPP, SYS_fchmod, SIZE(mode))

#define OFFSET_FAMILY(suffix)                                                                              \
  IO_CALL(ssize_t, pread##suffix, (int fd, void* out, size_t size, off##suffix##_t offset), -ESPIPE,       \
          SYS_pread64, word(out), SIZE(size), offset)                                                      \
  IO_CALL(ssize_t, pwrite##suffix, (int fd, const void* in, size_t size, off##suffix##_t offset), -ESPIPE, \
          SYS_pwrite64, word(in), SIZE(size), offset)                                                      \
  IO_CALL(off##suffix##_t, lseek##suffix, (int fd, off##suffix##_t offset, int whence) noexcept, -ESPIPE,  \
          SYS_lseek, offset, whence)                                                                       \
  IO_CALL(int, ftruncate##suffix, (int fd, off##suffix##_t size) noexcept, -EINVAL, SYS_ftruncate, size)   \
  IO_CALL(int, fallocate##suffix, (int fd, int mode, off##suffix##_t offset, off##suffix##_t size),        \
          refusal(fd, O_WRONLY, -ENODEV), SYS_fallocate, mode, offset, size)                               \
  PORTOLAN_SHIM_EXPORT int fcntl##suffix(int fd, int command, ...) {                                       \
    va_list arguments;                                                                                     \
    va_start(arguments, command);                                                                          \
    const long argument = va_arg(arguments, long);                                                         \
    va_end(arguments);                                                                                     \
    return shim_fcntl(fd, command, argument);                                                              \
  }

namespace {

int shim_fcntl(int fd, int command, long argument) {
  long result = sys::call(SYS_fcntl, fd, command, argument);
  // Handles are opened with flags that the kernel's own fds of maps do not have.
  constexpr long kOurs = 0100000 | O_NOFOLLOW;  // O_LARGEFILE
  if (command == F_GETFL && result >= 0 && (result & kOurs) != 0 && is_handle(fd)) result &= ~kOurs;
  return int_result(result);
}

}  // namespace

OFFSET_FAMILY()
OFFSET_FAMILY(64)

PORTOLAN_SHIM_EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  {
    const portolan::sync::CallEpoch epoch;
    if (map::PerfEvent* const event = perf_event_behind(fd); event != nullptr)
      return int_result(control_perf_event(*event, request, argument));
  }
  // Those of every file (FIOCLEX and the like) are the kernel's to answer.
  if (request != FIOCLEX && request != FIONCLEX && request != FIONBIO && request != FIOASYNC && is_handle(fd))
    return int_result(-ENOTTY);
  return int_result(sys::call(SYS_ioctl, fd, static_cast<long>(request), argument));
}
