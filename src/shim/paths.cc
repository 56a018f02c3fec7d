// SPDX-License-Identifier: Apache-2.0
// Calls that take a path: one on the bpffs is answered in the runtime's bpffs/ directory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdarg>
#include <cstring>

#include "abi/limits.h"
#include "base/sys.h"
#include "shim/open_special.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

// A path as the kernel is to be given it.
class Path {
 public:
  Path(int dir_fd, const char* path)
      : there_(on_bpffs(dir_fd, path)), path_(there_.empty() ? path : there_.c_str()) {}
  bool on_bpffs_() const { return !there_.empty(); }
  long word() const { return static_cast<long>(reinterpret_cast<std::intptr_t>(path_)); }

 private:
  std::string there_;
  const char* path_;
};

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }
int int_result(long result) { return static_cast<int>(libc_result(result)); }

// Pins are hard links here; nothing of that is to be seen.
void hide_links(struct ::stat* status) {
  if (S_ISREG(status->st_mode)) status->st_nlink = 1;
}

long stat_at(int dir_fd, const char* path, struct ::stat* out, int flags) {
  const Path there(dir_fd, path);
  const long result = sys::call(SYS_newfstatat, dir_fd, there.word(), word(out), flags);
  if (result == 0 && there.on_bpffs_()) hide_links(out);
  return result;
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int fstatat(int dir_fd, const char* path, struct stat* out, int flags) noexcept {
  return int_result(stat_at(dir_fd, path, out, flags));
}
PORTOLAN_SHIM_EXPORT int stat(const char* path, struct stat* out) noexcept {
  return int_result(stat_at(AT_FDCWD, path, out, 0));
}
PORTOLAN_SHIM_EXPORT int lstat(const char* path, struct stat* out) noexcept {
  return int_result(stat_at(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW));
}
// On this machine struct stat64 is struct stat.
PORTOLAN_SHIM_EXPORT int fstatat64(int dir_fd, const char* path, struct stat64* out, int flags) noexcept {
  return int_result(stat_at(dir_fd, path, reinterpret_cast<struct stat*>(out), flags));
}
PORTOLAN_SHIM_EXPORT int stat64(const char* path, struct stat64* out) noexcept {
  return int_result(stat_at(AT_FDCWD, path, reinterpret_cast<struct stat*>(out), 0));
}
PORTOLAN_SHIM_EXPORT int lstat64(const char* path, struct stat64* out) noexcept {
  return int_result(stat_at(AT_FDCWD, path, reinterpret_cast<struct stat*>(out), AT_SYMLINK_NOFOLLOW));
}
PORTOLAN_SHIM_EXPORT int statx(int dir_fd, const char* path, int flags, unsigned mask,
                               struct statx* out) noexcept {
  const Path there(dir_fd, path);
  const long result = sys::call(SYS_statx, dir_fd, there.word(), flags, mask, word(out));
  if (result == 0 && there.on_bpffs_() && S_ISREG(out->stx_mode)) out->stx_nlink = 1;
  return int_result(result);
}
PORTOLAN_SHIM_EXPORT int access(const char* path, int mode) noexcept {
  return int_result(sys::call(SYS_access, Path(AT_FDCWD, path).word(), mode));
}
PORTOLAN_SHIM_EXPORT int faccessat(int dir_fd, const char* path, int mode, int flags) noexcept {
  return int_result(sys::call(SYS_faccessat2, dir_fd, Path(dir_fd, path).word(), mode, flags));
}
PORTOLAN_SHIM_EXPORT int unlink(const char* path) noexcept {
  return int_result(sys::call(SYS_unlink, Path(AT_FDCWD, path).word()));
}
PORTOLAN_SHIM_EXPORT int unlinkat(int dir_fd, const char* path, int flags) noexcept {
  return int_result(sys::call(SYS_unlinkat, dir_fd, Path(dir_fd, path).word(), flags));
}
PORTOLAN_SHIM_EXPORT int remove(const char* path) noexcept {
  const Path there(AT_FDCWD, path);
  const long result = sys::call(SYS_unlink, there.word());
  return int_result(result == -EISDIR ? sys::call(SYS_rmdir, there.word()) : result);
}
PORTOLAN_SHIM_EXPORT int mkdir(const char* path, mode_t mode) noexcept {
  return int_result(sys::call(SYS_mkdir, Path(AT_FDCWD, path).word(), static_cast<long>(mode)));
}
PORTOLAN_SHIM_EXPORT int mkdirat(int dir_fd, const char* path, mode_t mode) noexcept {
  return int_result(sys::call(SYS_mkdirat, dir_fd, Path(dir_fd, path).word(), static_cast<long>(mode)));
}
PORTOLAN_SHIM_EXPORT int rmdir(const char* path) noexcept {
  return int_result(sys::call(SYS_rmdir, Path(AT_FDCWD, path).word()));
}
PORTOLAN_SHIM_EXPORT int rename(const char* from, const char* to) noexcept {
  return int_result(sys::call(SYS_rename, Path(AT_FDCWD, from).word(), Path(AT_FDCWD, to).word()));
}
PORTOLAN_SHIM_EXPORT int renameat2(int from_dir, const char* from, int to_dir, const char* to,
                                   unsigned flags) noexcept {
  return int_result(sys::call(SYS_renameat2, from_dir, Path(from_dir, from).word(), to_dir,
                              Path(to_dir, to).word(), static_cast<long>(flags)));
}
PORTOLAN_SHIM_EXPORT int renameat(int from_dir, const char* from, int to_dir, const char* to) noexcept {
  return renameat2(from_dir, from, to_dir, to, 0);
}
PORTOLAN_SHIM_EXPORT int chmod(const char* path, mode_t mode) noexcept {
  return int_result(sys::call(SYS_chmod, Path(AT_FDCWD, path).word(), static_cast<long>(mode)));
}
PORTOLAN_SHIM_EXPORT int chdir(const char* path) noexcept {
  return int_result(sys::call(SYS_chdir, Path(AT_FDCWD, path).word()));
}
PORTOLAN_SHIM_EXPORT ssize_t readlink(const char* path, char* out, size_t size) noexcept {
  return libc_result(
      sys::call(SYS_readlink, Path(AT_FDCWD, path).word(), word(out), static_cast<long>(size)));
}
PORTOLAN_SHIM_EXPORT int statfs(const char* path, struct statfs* out) noexcept {
  const Path there(AT_FDCWD, path);
  const long result = sys::call(SYS_statfs, there.word(), word(out));
  if (result == 0 && there.on_bpffs_()) out->f_type = static_cast<decltype(out->f_type)>(abi::kBpfFsMagic);
  return int_result(result);
}
PORTOLAN_SHIM_EXPORT int statfs64(const char* path, struct statfs64* out) noexcept {
  return statfs(path, reinterpret_cast<struct statfs*>(out));
}
// bpftool mounts a bpffs where it finds none; it finds one.
PORTOLAN_SHIM_EXPORT int mount(const char* source, const char* target, const char* type, unsigned long flags,
                               const void* data) noexcept {
  if (type != nullptr && std::strcmp(type, "bpf") == 0 && Path(AT_FDCWD, target).on_bpffs_()) return 0;
  return int_result(
      sys::call(SYS_mount, word(source), word(target), word(type), static_cast<long>(flags), word(data)));
}

namespace {

int open_at(int dir_fd, const char* path, int flags, mode_t mode) {
  if (const int special = open_special(path, flags); special != kNotSpecial) return int_result(special);
  return int_result(sys::call(SYS_openat, dir_fd, Path(dir_fd, path).word(), flags, static_cast<long>(mode)));
}

}  // namespace

#define PORTOLAN_MODE_ARGUMENT(flags)                                   \
  mode_t mode = 0;                                                      \
  if (((flags) & O_CREAT) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list arguments;                                                  \
    va_start(arguments, flags);                                         \
    mode = va_arg(arguments, mode_t);                                   \
    va_end(arguments);                                                  \
  }

PORTOLAN_SHIM_EXPORT int open(const char* path, int flags, ...) {
  PORTOLAN_MODE_ARGUMENT(flags)
  return open_at(AT_FDCWD, path, flags, mode);
}
PORTOLAN_SHIM_EXPORT int open64(const char* path, int flags, ...) {
  PORTOLAN_MODE_ARGUMENT(flags)
  return open_at(AT_FDCWD, path, flags, mode);
}
PORTOLAN_SHIM_EXPORT int openat(int dir_fd, const char* path, int flags, ...) {
  PORTOLAN_MODE_ARGUMENT(flags)
  return open_at(dir_fd, path, flags, mode);
}
PORTOLAN_SHIM_EXPORT int openat64(int dir_fd, const char* path, int flags, ...) {
  PORTOLAN_MODE_ARGUMENT(flags)
  return open_at(dir_fd, path, flags, mode);
}
PORTOLAN_SHIM_EXPORT DIR* opendir(const char* path) {
  const int fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  return fd < 0 ? nullptr : ::fdopendir(fd);
}
