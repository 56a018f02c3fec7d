// SPDX-License-Identifier: Apache-2.0
// open(2) and what is built on it.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cstdarg>
#include <cstring>

#include "shim/open_special.h"
#include "shim/path.h"

namespace portolan::shim {
namespace {

// Nothing but pins and directories is made on the bpffs, and pins have no contents: EIO, as the kernel
// answers for what it cannot print.
long open_on_bpffs(const Path& there, int flags, mode_t mode) {
  if (there.refused()) return -EPERM;
  struct ::stat status{};
  const bool exists = sys::fstatat(AT_FDCWD, there.c_str(), status, 0).has_value();
  if (!exists && (flags & O_CREAT) != 0) return -EACCES;
  if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
  if (exists && S_ISREG(status.st_mode) && (flags & O_PATH) == 0) {
    if ((flags & O_DIRECTORY) != 0) return -ENOTDIR;
    const int mode_wanted = (flags & O_ACCMODE) == O_RDONLY   ? R_OK
                            : (flags & O_ACCMODE) == O_WRONLY ? W_OK
                                                              : R_OK | W_OK;
    const long may = sys::call(SYS_faccessat2, AT_FDCWD, there.word(), mode_wanted, AT_EACCESS);
    return may < 0 ? may : open_pin(there.c_str(), flags);
  }
  return sys::call(SYS_openat, AT_FDCWD, there.word(), flags, static_cast<long>(mode));
}

int open_at(int dir_fd, const char* path, int flags, mode_t mode) {
  if (const int special = open_special(path, flags); special != kNotSpecial) return int_result(special);
  const Path there(dir_fd, path);
  if (there.on_bpffs()) return int_result(open_on_bpffs(there, flags, mode));
  return int_result(sys::call(SYS_openat, dir_fd, there.word(), flags, static_cast<long>(mode)));
}

int flags_of(const char* mode) {
  int flags = std::strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
  if (mode[0] == 'w') flags |= O_CREAT | O_TRUNC;
  if (mode[0] == 'a') flags |= O_CREAT | O_APPEND;
  if (std::strchr(mode, 'e')) flags |= O_CLOEXEC;
  return flags;
}

FILE* open_stream(const char* name, const char* path, const char* mode) {
  int fd = open_special(path, flags_of(mode));
  if (fd == kNotSpecial) {
    const Path there(path);
    if (!there.on_bpffs()) {
      auto* real = reinterpret_cast<FILE* (*)(const char*, const char*)>(::dlsym(RTLD_NEXT, name));
      return real(path, mode);
    }
    fd = static_cast<int>(open_on_bpffs(there, flags_of(mode), 0666));
  }
  if (fd < 0) {
    errno = -fd;
    return nullptr;
  }
  return ::fdopen(fd, mode);
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

#define MODE_ARGUMENT(flags)                                            \
  mode_t mode = 0;                                                      \
  if (((flags) & O_CREAT) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list arguments;                                                  \
    va_start(arguments, flags);                                         \
    mode = va_arg(arguments, mode_t);                                   \
    va_end(arguments);                                                  \
  }
#define OPEN_FAMILY(suffix)                                                                \
  PORTOLAN_SHIM_EXPORT int open##suffix(const char* path, int flags, ...) {                \
    MODE_ARGUMENT(flags)                                                                   \
    return open_at(AT_FDCWD, path, flags, mode);                                           \
  }                                                                                        \
  PORTOLAN_SHIM_EXPORT int openat##suffix(int dir_fd, const char* path, int flags, ...) {  \
    MODE_ARGUMENT(flags)                                                                   \
    return open_at(dir_fd, path, flags, mode);                                             \
  }                                                                                        \
  PORTOLAN_SHIM_EXPORT int __open##suffix##_2(const char* path, int flags) {               \
    return open_at(AT_FDCWD, path, flags, 0);                                              \
  }                                                                                        \
  PORTOLAN_SHIM_EXPORT int __openat##suffix##_2(int dir_fd, const char* path, int flags) { \
    return open_at(dir_fd, path, flags, 0);                                                \
  }                                                                                        \
  PORTOLAN_SHIM_EXPORT int creat##suffix(const char* path, mode_t mode) {                  \
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);                    \
  }                                                                                        \
  PORTOLAN_SHIM_EXPORT FILE* fopen##suffix(const char* path, const char* mode) {           \
    return open_stream("fopen" #suffix, path, mode);                                       \
  }
OPEN_FAMILY()
OPEN_FAMILY(64)

PORTOLAN_SHIM_EXPORT FILE* setmntent(const char* path, const char* mode) noexcept {
  return open_stream("fopen", path, mode);
}
PORTOLAN_SHIM_EXPORT DIR* opendir(const char* path) {
  const Path there(path);
  static auto* real = reinterpret_cast<DIR* (*)(const char*)>(::dlsym(RTLD_NEXT, "opendir"));
  return real(there.c_str());
}
