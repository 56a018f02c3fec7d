// SPDX-License-Identifier: Apache-2.0
// Calls that take a path: one on the bpffs is answered in the runtime's bpffs/ directory.
#include <dlfcn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "shim/kernel_types.h"
#include "shim/path.h"

using namespace portolan;
using namespace portolan::shim;

// A call of one path, which may be relative to a directory: its name, parameters, those two, and the system
// call.
#define PATH_CALL(name, parameters, directory, path, number, ...)           \
  PORTOLAN_SHIM_EXPORT int name parameters noexcept {                       \
    const Path there(directory, path);                                      \
    return int_result(call_with(there, number __VA_OPT__(, ) __VA_ARGS__)); \
  }
#define THERE there.word()
// One that asks what is there.
#define LOOK_CALL(name, parameters, directory, path, number, ...) \
  PATH_CALL(name, parameters, directory, shown_at(path), number, __VA_ARGS__)

LOOK_CALL(access, (const char* path, int mode), AT_FDCWD, path, SYS_access, THERE, mode)
LOOK_CALL(eaccess, (const char* path, int mode), AT_FDCWD, path, SYS_faccessat2, AT_FDCWD, THERE, mode,
          AT_EACCESS)
LOOK_CALL(euidaccess, (const char* path, int mode), AT_FDCWD, path, SYS_faccessat2, AT_FDCWD, THERE, mode,
          AT_EACCESS)
LOOK_CALL(faccessat, (int dir, const char* path, int mode, int flags), dir, path, SYS_faccessat2, dir, THERE,
          mode, flags)
PATH_CALL(unlink, (const char* path), AT_FDCWD, path, SYS_unlink, THERE)
PATH_CALL(unlinkat, (int dir, const char* path, int flags), dir, path, SYS_unlinkat, dir, THERE, flags)
PATH_CALL(mkdir, (const char* path, mode_t mode), AT_FDCWD, path, SYS_mkdir, THERE, mode)
PATH_CALL(mkdirat, (int dir, const char* path, mode_t mode), dir, path, SYS_mkdirat, dir, THERE, mode)
PATH_CALL(rmdir, (const char* path), AT_FDCWD, path, SYS_rmdir, THERE)
PATH_CALL(chmod, (const char* path, mode_t mode), AT_FDCWD, path, SYS_chmod, THERE, mode)
PATH_CALL(chown, (const char* path, uid_t user, gid_t group), AT_FDCWD, path, SYS_chown, THERE, user, group)
PATH_CALL(lchown, (const char* path, uid_t user, gid_t group), AT_FDCWD, path, SYS_lchown, THERE, user, group)
PATH_CALL(fchownat, (int dir, const char* path, uid_t user, gid_t group, int flags), dir, path, SYS_fchownat,
          dir, THERE, user, group, flags)
PATH_CALL(utimensat, (int dir, const char* path, const struct timespec times[2], int flags), dir, path,
          SYS_utimensat, dir, THERE, word(times), flags)
PATH_CALL(truncate, (const char* path, off_t size), AT_FDCWD, path, SYS_truncate, THERE, size)
PATH_CALL(truncate64, (const char* path, off64_t size), AT_FDCWD, path, SYS_truncate, THERE, size)
PATH_CALL(chdir, (const char* path), AT_FDCWD, path, SYS_chdir, THERE)
PATH_CALL(symlink, (const char* target, const char* path), AT_FDCWD, path, SYS_symlink, word(target), THERE)
PATH_CALL(symlinkat, (const char* target, int dir, const char* path), dir, path, SYS_symlinkat, word(target),
          dir, THERE)

PORTOLAN_SHIM_EXPORT int fchmodat(int dir, const char* path, mode_t mode, int flags) noexcept {
  const Path there(dir, path);
  if (there.on_bpffs()) return int_result(call_with(there, SYS_fchmodat, dir, there.word(), mode));
  static auto* real =
      reinterpret_cast<int (*)(int, const char*, mode_t, int)>(::dlsym(RTLD_NEXT, "fchmodat"));
  return real(dir, path, mode, flags);
}
PORTOLAN_SHIM_EXPORT int remove(const char* path) noexcept {
  const Path there(path);
  const long result = call_with(there, SYS_unlink, there.word());
  return int_result(result == -EISDIR ? sys::call(SYS_rmdir, there.word()) : result);
}

namespace {

long rename_at(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  const Path source(from_dir, from), target(to_dir, to);
  if (source.refused()) return -EPERM;
  if (source.on_bpffs() != target.on_bpffs()) return -EXDEV;
  return call_with(target, SYS_renameat2, from_dir, source.word(), to_dir, target.word(), flags);
}
long link_at(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  const Path source(from_dir, from), target(to_dir, to);
  if (source.refused()) return -EPERM;
  if (source.on_bpffs() != target.on_bpffs()) return -EXDEV;
  return call_with(target, SYS_linkat, from_dir, source.word(), to_dir, target.word(), flags);
}

// /proc/self/fd/N of a handle: the kernel's own fds are "anon_inode:bpf-map" and the like. Empty: another
// path.
std::string anonymous_inode(int dir_fd, const char* path) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr || std::strncmp(path, "/proc/", 6) != 0 || std::strstr(path, "/fd/") == nullptr)
    return {};
  char seen[PATH_MAX];
  const auto size = sys::readlinkat(dir_fd, path, seen, sizeof seen);
  if (!size) return {};
  const std::string_view link(seen, *size);
  if (!link.starts_with(there->directory() + "/objects/")) return {};
  return "anon_inode:" + std::string(link.substr(link.rfind('/') + 1));
}

ssize_t read_link(int dir_fd, const char* path, char* out, std::size_t size) {
  if (const std::string name = anonymous_inode(dir_fd, path); !name.empty() && size != 0) {
    const std::size_t shown = std::min(size, name.size());
    std::memcpy(out, name.data(), shown);
    return static_cast<ssize_t>(shown);
  }
  const Path there(dir_fd, path);
  return libc_result(call_with(there, SYS_readlinkat, dir_fd, there.word(), word(out), size));
}

}  // namespace

PORTOLAN_SHIM_EXPORT int rename(const char* from, const char* to) noexcept {
  return int_result(rename_at(AT_FDCWD, from, AT_FDCWD, to, 0));
}
PORTOLAN_SHIM_EXPORT int renameat(int from_dir, const char* from, int to_dir, const char* to) noexcept {
  return int_result(rename_at(from_dir, from, to_dir, to, 0));
}
PORTOLAN_SHIM_EXPORT int renameat2(int from_dir, const char* from, int to_dir, const char* to,
                                   unsigned flags) noexcept {
  return int_result(rename_at(from_dir, from, to_dir, to, flags));
}
PORTOLAN_SHIM_EXPORT int link(const char* from, const char* to) noexcept {
  return int_result(link_at(AT_FDCWD, from, AT_FDCWD, to, 0));
}
PORTOLAN_SHIM_EXPORT int linkat(int from_dir, const char* from, int to_dir, const char* to,
                                int flags) noexcept {
  return int_result(link_at(from_dir, from, to_dir, to, flags));
}
PORTOLAN_SHIM_EXPORT ssize_t readlink(const char* path, char* out, size_t size) noexcept {
  return read_link(AT_FDCWD, path, out, size);
}
PORTOLAN_SHIM_EXPORT ssize_t readlinkat(int dir_fd, const char* path, char* out, size_t size) noexcept {
  return read_link(dir_fd, path, out, size);
}

// bpffs has no extended attributes of users.
#define XATTR_CALL(name, number)                                                                    \
  PORTOLAN_SHIM_EXPORT ssize_t name(const char* path, const char* attribute, void* value,           \
                                    size_t size) noexcept {                                         \
    const Path there(path);                                                                         \
    return libc_result(call_with(there, number, there.word(), word(attribute), word(value), size)); \
  }
XATTR_CALL(getxattr, SYS_getxattr)
XATTR_CALL(lgetxattr, SYS_lgetxattr)
#define LISTXATTR_CALL(name, number)                                                      \
  PORTOLAN_SHIM_EXPORT ssize_t name(const char* path, char* list, size_t size) noexcept { \
    const Path there(path);                                                               \
    return libc_result(call_with(there, number, there.word(), word(list), size));         \
  }
LISTXATTR_CALL(listxattr, SYS_listxattr)
LISTXATTR_CALL(llistxattr, SYS_llistxattr)

PORTOLAN_SHIM_EXPORT char* realpath(const char* path, char* out) noexcept {
  static auto* real =
      reinterpret_cast<char* (*)(const char*, char*)>(::dlvsym(RTLD_NEXT, "realpath", "GLIBC_2.3"));
  const Path there(path);
  if (!there.on_bpffs()) return real(path, out);
  char resolved[PATH_MAX];
  if (real(there.c_str(), resolved) == nullptr) return nullptr;
  const std::string seen = as_client_sees(resolved);
  return out == nullptr ? ::strdup(seen.c_str()) : std::strcpy(out, seen.c_str());
}
// bpftool mounts a bpffs where it finds none; it finds one.
PORTOLAN_SHIM_EXPORT int mount(const char* source, const char* target, const char* type, unsigned long flags,
                               const void* data) noexcept {
  if (type != nullptr && std::strcmp(type, "bpf") == 0 && Path(target).on_bpffs()) return 0;
  return int_result(
      sys::call(SYS_mount, word(source), word(target), word(type), static_cast<long>(flags), word(data)));
}
