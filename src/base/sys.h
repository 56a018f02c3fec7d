// SPDX-License-Identifier: Apache-2.0
// Linux system calls made by the instruction itself, never through a libc symbol: inside a preloaded library
// those symbols are our own interposers. Each returns the kernel's value or its error; nothing touches errno.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <cstdint>

#include "base/result.h"

namespace portolan::sys {

// The raw system call: the kernel's return value, errors as -errno.
inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

inline Result<long> checked(long result) {
  if (result < 0 && result >= -4095) return fail(static_cast<int>(-result));
  return result;
}

Result<int> openat(int dir_fd, const char* path, int flags, mode_t mode = 0);  // O_CLOEXEC is the caller's
Result<void> close(int fd);
Result<void> fstat(int fd, struct ::stat& out);
Result<void> fstatat(int dir_fd, const char* path, struct ::stat& out, int flags);
Result<void> ftruncate(int fd, std::uint64_t size);
Result<void> fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length);
Result<void*> mmap(void* address, std::uint64_t length, int protection, int flags, int fd,
                   std::uint64_t offset);
Result<void> munmap(void* address, std::uint64_t length);
Result<void> madvise(void* address, std::uint64_t length, int advice);
Result<int> fcntl(int fd, int command, long argument);
Result<void> fcntl_lock(int fd, int command,
                        struct ::flock& lock);  // F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK
Result<void> mkdirat(int dir_fd, const char* path, mode_t mode);
Result<void> unlinkat(int dir_fd, const char* path, int flags);
Result<void> renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags);
Result<void> linkat(int from_dir, const char* from, int to_dir, const char* to, int flags);
Result<std::size_t> readlinkat(int dir_fd, const char* path, char* out, std::size_t size);
Result<std::size_t> pread(int fd, void* out, std::size_t size, std::uint64_t offset);
Result<std::size_t> pwrite(int fd, const void* in, std::size_t size, std::uint64_t offset);
// `size`: of the room, then of the value.
Result<void> getsockopt(int fd, int level, int name, void* value, std::uint32_t& size);
Result<void> setsockopt(int fd, int level, int name, const void* value, std::uint32_t size);
Result<void> bind(int fd, const void* address, std::uint32_t size);
int gettid();
int getpid();
unsigned getcpu();
void yield();
void sleep_ns(std::uint64_t nanoseconds);
[[noreturn]] void kill_self();  // SIGKILL

}  // namespace portolan::sys
