// SPDX-License-Identifier: Apache-2.0
// Every way in which a client's fd can be closed.
#include "shim/fd_close.h"

#include <dlfcn.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/sys.h"
#include "shim/epoll.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

// Fds from `first` to `last` that are open, by /proc; only handles among them are settled afterwards.
std::vector<Closing> closings(unsigned first, unsigned last) {
  std::vector<Closing> list;
  object::Runtime* there = runtime_if_open();
  if (there == nullptr) return list;
  const long limit = std::max(::sysconf(_SC_OPEN_MAX), 256L);
  for (unsigned fd = first; fd <= last && fd < static_cast<unsigned>(limit); ++fd)
    if (there->is_handle(static_cast<int>(fd))) list.emplace_back(static_cast<int>(fd));
  return list;
}

}  // namespace

long close_fd(int fd) {
  if (runtime_if_open() == nullptr) return sys::call(SYS_close, fd);
  if (is_own_fd(fd)) return -EBADF;
  forget_watches(fd);
  Closing closing(fd);
  const long result = sys::call(SYS_close, fd);
  closing.after_close();
  return result;
}

long dup_onto(int fd, int onto, int flags, bool dup2_rules) {
  if (dup2_rules && fd == onto) return sys::call(SYS_dup2, fd, onto);
  if (runtime_if_open() == nullptr) return sys::call(dup2_rules ? SYS_dup2 : SYS_dup3, fd, onto, flags);
  if (is_own_fd(onto) || is_own_fd(fd)) return -EBADF;
  forget_watches(onto);
  Closing closing(onto);
  const long result = sys::call(dup2_rules ? SYS_dup2 : SYS_dup3, fd, onto, flags);
  if (result >= 0) closing.after_close();
  return result;
}

long close_fds(unsigned first, unsigned last, unsigned flags) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr || first > last) return sys::call(SYS_close_range, first, last, flags);
  auto own = there->own_fds();
  std::ranges::sort(own);
  std::vector<Closing> gone;
  if ((flags & CLOSE_RANGE_CLOEXEC) == 0) gone = closings(first, last);
  unsigned from = first;
  for (const int fd : own) {
    const auto number = static_cast<unsigned>(fd);
    if (number < from || number > last) continue;
    if (number > from)
      if (const long result = sys::call(SYS_close_range, from, number - 1, flags); result < 0) return result;
    from = number + 1;
  }
  const long result = from <= last ? sys::call(SYS_close_range, from, last, flags) : 0;
  for (Closing& closing : gone) closing.after_close();
  return result;
}

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int close(int fd) { return static_cast<int>(libc_result(close_fd(fd))); }
PORTOLAN_SHIM_EXPORT int dup2(int fd, int onto) noexcept {
  return static_cast<int>(libc_result(dup_onto(fd, onto, 0, true)));
}
PORTOLAN_SHIM_EXPORT int dup3(int fd, int onto, int flags) noexcept {
  return static_cast<int>(libc_result(dup_onto(fd, onto, flags, false)));
}
PORTOLAN_SHIM_EXPORT int close_range(unsigned first, unsigned last, int flags) noexcept {
  return static_cast<int>(libc_result(close_fds(first, last, static_cast<unsigned>(flags))));
}
PORTOLAN_SHIM_EXPORT void closefrom(int first) noexcept {
  close_fds(static_cast<unsigned>(std::max(first, 0)), ~0u, 0);
}
PORTOLAN_SHIM_EXPORT int fclose(FILE* file) {
  static auto* real = next<int(FILE*)>("fclose");
  Closing closing(::fileno(file));
  const int result = real(file);
  closing.after_close();
  return result;
}
PORTOLAN_SHIM_EXPORT FILE* freopen(const char* path, const char* mode, FILE* file) {
  static auto* real = next<FILE*(const char*, const char*, FILE*)>("freopen");
  Closing closing(::fileno(file));
  FILE* result = real(path, mode, file);
  closing.after_close();
  return result;
}
