// SPDX-License-Identifier: Apache-2.0
#include "base/sys.h"

#include <signal.h>
#include <time.h>

namespace portolan::sys {
namespace {

long address_of(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

Result<void> status(long result) {
  TRY(checked(result));
  return {};
}

}  // namespace

Result<int> openat(int dir_fd, const char* path, int flags, mode_t mode) {
  return static_cast<int>(
      TRY(checked(call(SYS_openat, dir_fd, address_of(path), flags, static_cast<long>(mode)))));
}
Result<void> close(int fd) { return status(call(SYS_close, fd)); }
Result<void> fstat(int fd, struct ::stat& out) { return status(call(SYS_fstat, fd, address_of(&out))); }
Result<void> fstatat(int dir_fd, const char* path, struct ::stat& out, int flags) {
  return status(call(SYS_newfstatat, dir_fd, address_of(path), address_of(&out), flags));
}
Result<void> ftruncate(int fd, std::uint64_t size) {
  return status(call(SYS_ftruncate, fd, static_cast<long>(size)));
}
Result<void> fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) {
  return status(call(SYS_fallocate, fd, mode, static_cast<long>(offset), static_cast<long>(length)));
}
Result<void*> mmap(void* address, std::uint64_t length, int protection, int flags, int fd,
                   std::uint64_t offset) {
  long result = TRY(checked(call(SYS_mmap, address_of(address), static_cast<long>(length), protection, flags,
                                 fd, static_cast<long>(offset))));
  return reinterpret_cast<void*>(result);
}
Result<void> munmap(void* address, std::uint64_t length) {
  return status(call(SYS_munmap, address_of(address), static_cast<long>(length)));
}
Result<void> madvise(void* address, std::uint64_t length, int advice) {
  return status(call(SYS_madvise, address_of(address), static_cast<long>(length), advice));
}
Result<int> fcntl(int fd, int command, long argument) {
  return static_cast<int>(TRY(checked(call(SYS_fcntl, fd, command, argument))));
}
Result<void> fcntl_lock(int fd, int command, struct ::flock& lock) {
  return status(call(SYS_fcntl, fd, command, address_of(&lock)));
}
Result<void> mkdirat(int dir_fd, const char* path, mode_t mode) {
  return status(call(SYS_mkdirat, dir_fd, address_of(path), static_cast<long>(mode)));
}
Result<void> unlinkat(int dir_fd, const char* path, int flags) {
  return status(call(SYS_unlinkat, dir_fd, address_of(path), flags));
}
Result<void> renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return status(
      call(SYS_renameat2, from_dir, address_of(from), to_dir, address_of(to), static_cast<long>(flags)));
}
Result<void> linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  return status(call(SYS_linkat, from_dir, address_of(from), to_dir, address_of(to), flags));
}
Result<std::size_t> readlinkat(int dir_fd, const char* path, char* out, std::size_t size) {
  return static_cast<std::size_t>(
      TRY(checked(call(SYS_readlinkat, dir_fd, address_of(path), address_of(out), static_cast<long>(size)))));
}
Result<std::size_t> pread(int fd, void* out, std::size_t size, std::uint64_t offset) {
  return static_cast<std::size_t>(TRY(
      checked(call(SYS_pread64, fd, address_of(out), static_cast<long>(size), static_cast<long>(offset)))));
}
Result<std::size_t> pwrite(int fd, const void* in, std::size_t size, std::uint64_t offset) {
  return static_cast<std::size_t>(TRY(
      checked(call(SYS_pwrite64, fd, address_of(in), static_cast<long>(size), static_cast<long>(offset)))));
}
Result<void> getsockopt(int fd, int level, int name, void* value, std::uint32_t& size) {
  return status(call(SYS_getsockopt, fd, level, name, address_of(value), address_of(&size)));
}
Result<void> setsockopt(int fd, int level, int name, const void* value, std::uint32_t size) {
  return status(call(SYS_setsockopt, fd, level, name, address_of(value), size));
}
Result<void> bind(int fd, const void* address, std::uint32_t size) {
  return status(call(SYS_bind, fd, address_of(address), size));
}
int gettid() { return static_cast<int>(call(SYS_gettid)); }
int getpid() { return static_cast<int>(call(SYS_getpid)); }
unsigned getcpu() {
  unsigned cpu = 0;
  call(SYS_getcpu, address_of(&cpu));
  return cpu;
}
void yield() { call(SYS_sched_yield); }
void sleep_ns(std::uint64_t nanoseconds) {
  timespec duration{static_cast<time_t>(nanoseconds / 1'000'000'000),
                    static_cast<long>(nanoseconds % 1'000'000'000)};
  call(SYS_nanosleep, address_of(&duration));
}
void kill_self() {
  call(SYS_kill, getpid(), SIGKILL);
  __builtin_trap();
}

}  // namespace portolan::sys
