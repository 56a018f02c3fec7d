// SPDX-License-Identifier: Apache-2.0
// read, write and the like on a map's fd: the kernel has no such operations there, our handle is a file that
// would.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

bool is_handle(int fd) {
  object::Runtime* there = runtime_if_open();
  return there != nullptr && there->is_handle(fd);
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT ssize_t read(int fd, void* out, size_t size) {
  if (is_handle(fd)) [[unlikely]]
    return libc_result(-EINVAL);
  return libc_result(sys::call(SYS_read, fd, word(out), static_cast<long>(size)));
}
PORTOLAN_SHIM_EXPORT ssize_t write(int fd, const void* in, size_t size) {
  if (is_handle(fd)) [[unlikely]]
    return libc_result(-EINVAL);
  return libc_result(sys::call(SYS_write, fd, word(in), static_cast<long>(size)));
}
PORTOLAN_SHIM_EXPORT ssize_t pread(int fd, void* out, size_t size, off_t offset) {
  if (is_handle(fd)) return libc_result(-ESPIPE);
  return libc_result(sys::call(SYS_pread64, fd, word(out), static_cast<long>(size), offset));
}
PORTOLAN_SHIM_EXPORT ssize_t pwrite(int fd, const void* in, size_t size, off_t offset) {
  if (is_handle(fd)) return libc_result(-ESPIPE);
  return libc_result(sys::call(SYS_pwrite64, fd, word(in), static_cast<long>(size), offset));
}
PORTOLAN_SHIM_EXPORT off_t lseek(int fd, off_t offset, int whence) noexcept {
  if (is_handle(fd)) return libc_result(-ESPIPE);
  return libc_result(sys::call(SYS_lseek, fd, offset, whence));
}
PORTOLAN_SHIM_EXPORT int ftruncate(int fd, off_t size) noexcept {
  if (is_handle(fd)) return static_cast<int>(libc_result(-EINVAL));
  return static_cast<int>(libc_result(sys::call(SYS_ftruncate, fd, size)));
}
