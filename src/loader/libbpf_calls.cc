// SPDX-License-Identifier: Apache-2.0
// What our copy of libbpf calls instead of libc's functions, see private_libbpf.cmake.
#include "loader/libbpf_calls.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/sys.h"

namespace portolan::loader {

thread_local System* system_now = nullptr;

namespace {

// The kernel's types are those of the system that the object is loaded into.
const char* shown_at(const char* path) {
  if (system_now == nullptr || std::strcmp(path, "/sys/kernel/btf/vmlinux") != 0) return path;
  thread_local std::string file;
  file = system_now->kernel_types_file();
  return file.empty() ? path : file.c_str();
}

}  // namespace
}  // namespace portolan::loader

#define OURS __attribute__((visibility("hidden")))
using portolan::loader::shown_at;
using portolan::loader::system_now;

extern "C" {

FILE* portolan_loader_stderr = nullptr;  // only its own way of printing, which is not used, would write there

OURS long portolan_loader_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (number != SYS_bpf || system_now == nullptr) {
    const long result = portolan::sys::call(number, a, b, c, d, e, f);
    if (result >= 0 || result < -4095) return result;
    errno = static_cast<int>(-result);
    return -1;
  }
  const long result =
      system_now->bpf(static_cast<int>(a), reinterpret_cast<void*>(b), static_cast<std::uint32_t>(c));
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

OURS int portolan_loader_close(int fd) {
  if (system_now != nullptr)
    system_now->close_fd(fd);
  else
    (void)portolan::sys::close(fd);
  return 0;
}

// Which of these there are depends on how libbpf was built.
#define FILE_CALLS(suffix)                                                       \
  OURS FILE* portolan_loader_fopen##suffix(const char* path, const char* mode) { \
    return ::fopen(shown_at(path), mode);                                        \
  }                                                                              \
  OURS int portolan_loader_open##suffix(const char* path, int flags, ...) {      \
    va_list arguments;                                                           \
    va_start(arguments, flags);                                                  \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;  \
    va_end(arguments);                                                           \
    return ::open(shown_at(path), flags, mode);                                  \
  }
FILE_CALLS()
FILE_CALLS(64)
OURS int portolan_loader_access(const char* path, int mode) { return ::access(shown_at(path), mode); }
OURS int portolan_loader_faccessat(int directory, const char* path, int mode, int flags) {
  return ::faccessat(directory, shown_at(path), mode, flags);
}

}  // extern "C"
