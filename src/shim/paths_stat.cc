// SPDX-License-Identifier: Apache-2.0
// The stat and statfs families: what is on the bpffs looks as it does there.
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "abi/limits.h"
#include "shim/iterator_files.h"
#include "shim/kernel_types.h"
#include "shim/path.h"
#include "shim/trace_files.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

// On this machine struct stat64 is struct stat, and struct statfs64 struct statfs.
long stat_at(int dir_fd, const char* path, void* out, int flags) {
  const Path there(dir_fd, shown_at(path));
  const long result = call_with(there, SYS_newfstatat, dir_fd, there.word(), word(out), flags);
  // Pins are hard links here; nothing of that is to be seen.
  auto* status = static_cast<struct ::stat*>(out);
  if (result == 0 && there.on_bpffs() && S_ISREG(status->st_mode)) status->st_nlink = 1;
  return result;
}

bool is_on_bpffs(int fd) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr || fd < 0) return false;
  return !on_bpffs(fd, ".").empty();
}

long stat_fs(const char* path, void* out) {
  if (is_trace_directory(path)) {  // also where the machine has none, or does not show it to this user
    constexpr long kTraceFsMagic = 0x7472'6163;
    auto* status = static_cast<struct ::statfs*>(out);
    *status = {};
    status->f_type = kTraceFsMagic;
    status->f_bsize = status->f_frsize = 4096;
    status->f_namelen = 255;
    return 0;
  }
  const Path there(path);
  const long result = call_with(there, SYS_statfs, there.word(), word(out));
  auto* status = static_cast<struct ::statfs*>(out);
  if (result == 0 && there.on_bpffs())
    status->f_type = static_cast<decltype(status->f_type)>(abi::kBpfFsMagic);
  return result;
}

// An fd of a map has an inode without a type; that of a pin that was opened to be read has the pin's.
long stat_fd(int fd, void* out) {
  const long result = sys::call(SYS_fstat, fd, word(out));
  object::Runtime* runtime = runtime_if_open();
  if (result != 0 || runtime == nullptr || !runtime->is_handle(fd)) return result;
  auto* status = static_cast<struct ::stat*>(out);
  status->st_mode = 0600;
  status->st_nlink = 1;
  status->st_size = 0;
  status->st_blocks = 0;
  const sync::CallEpoch epoch;
  const hook::Iterator* const iterator = iterator_behind(fd);
  if (iterator != nullptr && iterator->pin().device != 0) {
    status->st_mode |= S_IFREG;
    status->st_dev = iterator->pin().device;
    status->st_ino = iterator->pin().inode;
  }
  return 0;
}

long fstat_fs(int fd, void* out) {
  constexpr long kAnonymousInodes = 0x09041934;
  const long result = sys::call(SYS_fstatfs, fd, word(out));
  auto* status = static_cast<struct ::statfs*>(out);
  object::Runtime* runtime = runtime_if_open();
  if (result == 0 && runtime != nullptr && runtime->is_handle(fd))
    status->f_type = kAnonymousInodes;
  else if (result == 0 && is_on_bpffs(fd))
    status->f_type = static_cast<decltype(status->f_type)>(abi::kBpfFsMagic);
  return result;
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

#define STAT_FAMILY(suffix)                                                                             \
  PORTOLAN_SHIM_EXPORT int fstatat##suffix(int dir, const char* path, struct stat##suffix* out,         \
                                           int flags) noexcept {                                        \
    return int_result(stat_at(dir, path, out, flags));                                                  \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int stat##suffix(const char* path, struct stat##suffix* out) noexcept {          \
    return int_result(stat_at(AT_FDCWD, path, out, 0));                                                 \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int lstat##suffix(const char* path, struct stat##suffix* out) noexcept {         \
    return int_result(stat_at(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW));                               \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int fstat##suffix(int fd, struct stat##suffix* out) noexcept {                   \
    return int_result(stat_fd(fd, out));                                                                \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int __fxstat##suffix(int, int fd, struct stat##suffix* out) noexcept {           \
    return int_result(stat_fd(fd, out));                                                                \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int __xstat##suffix(int, const char* path, struct stat##suffix* out) noexcept {  \
    return int_result(stat_at(AT_FDCWD, path, out, 0));                                                 \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int __lxstat##suffix(int, const char* path, struct stat##suffix* out) noexcept { \
    return int_result(stat_at(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW));                               \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int statfs##suffix(const char* path, struct statfs##suffix* out) noexcept {      \
    return int_result(stat_fs(path, out));                                                              \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int fstatfs##suffix(int fd, struct statfs##suffix* out) noexcept {               \
    return int_result(fstat_fs(fd, out));                                                               \
  }                                                                                                     \
  PORTOLAN_SHIM_EXPORT int statvfs##suffix(const char* path, struct statvfs##suffix* out) noexcept {    \
    using Real = int (*)(const char*, struct statvfs##suffix*);                                         \
    static auto* real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "statvfs" #suffix));                  \
    return real(Path(path).c_str(), out);                                                               \
  }
STAT_FAMILY()
STAT_FAMILY(64)

PORTOLAN_SHIM_EXPORT int statx(int dir_fd, const char* path, int flags, unsigned mask,
                               struct statx* out) noexcept {
  const Path there(dir_fd, shown_at(path));
  const long result = call_with(there, SYS_statx, dir_fd, there.word(), flags, mask, word(out));
  if (result == 0 && there.on_bpffs() && S_ISREG(out->stx_mode)) out->stx_nlink = 1;
  return int_result(result);
}
