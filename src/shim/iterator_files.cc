// SPDX-License-Identifier: Apache-2.0
// Files of iterators, whose bytes a program writes as they are read. What would reach past read(2) for the
// bytes of our file must not: cat(1) then does as it does for any file that is not regular, and a stream,
// which libc reads without asking anybody, gets all that there is at once.
#include "shim/iterator_files.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "shim/fd_close.h"
#include "shim/path.h"
#include "sync/call_epoch.h"

namespace portolan::shim {

hook::Iterator* iterator_behind(int fd) {
  object::Runtime* const there = runtime_of_given(fd);
  if (there == nullptr || !there->is_handle(fd)) return nullptr;
  const auto target = there->target_of_fd(fd, object::Kind::kIterator);
  return target ? static_cast<hook::Iterator*>(target->view) : nullptr;
}

long read_iterator(hook::Iterator& iterator, void* to, std::size_t size) {
  const auto done = iterator.read(to, size);
  return done ? static_cast<long>(*done) : -done.error().value;
}

long read_iterator(hook::Iterator& iterator, const struct iovec* list, int count) {
  long done = 0;
  for (int i = 0; i < count; ++i) {
    const long one = read_iterator(iterator, list[i].iov_base, list[i].iov_len);
    if (one < 0) return done != 0 ? done : one;
    done += one;
    if (static_cast<std::size_t>(one) < list[i].iov_len) break;
  }
  return done;
}

namespace {

// All that the iterator has to say; an error is where it ends. -1: the fd is of none.
int file_with_all_of(int fd) {
  const sync::CallEpoch epoch;
  hook::Iterator* const iterator = iterator_behind(fd);
  if (iterator == nullptr) return -1;
  const long file = sys::call(SYS_memfd_create, word("portolan"), MFD_CLOEXEC);
  if (file < 0) return -1;
  char bytes[4096];
  for (long size, at = 0; (size = read_iterator(*iterator, bytes, sizeof bytes)) > 0; at += size)
    if (!sys::pwrite(static_cast<int>(file), bytes, static_cast<std::size_t>(size),
                     static_cast<std::uint64_t>(at)))
      break;
  return static_cast<int>(file);
}

void settle_for_stream(int fd) {
  const int file = file_with_all_of(fd);
  if (file < 0) return;
  const long flags = sys::call(SYS_fcntl, fd, F_GETFD);
  (void)dup_onto(file, fd, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0, false);
  (void)sys::close(file);
}

bool is_iterator(int fd) {
  const sync::CallEpoch epoch;
  return iterator_behind(fd) != nullptr;
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT FILE* fdopen(int fd, const char* mode) noexcept {
  static auto* const real = reinterpret_cast<FILE* (*)(int, const char*)>(::dlsym(RTLD_NEXT, "fdopen"));
  settle_for_stream(fd);
  return real(fd, mode);
}

PORTOLAN_SHIM_EXPORT ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at, size_t size,
                                             unsigned flags) {
  if (is_iterator(from)) return libc_result(-EINVAL);
  return libc_result(sys::call(SYS_copy_file_range, from, word(from_at), to, word(to_at),
                               static_cast<long>(size), static_cast<long>(flags)));
}

#define SENDFILE(suffix)                                                                      \
  PORTOLAN_SHIM_EXPORT ssize_t sendfile##suffix(int to, int from, off##suffix##_t* at,        \
                                                size_t size) noexcept {                       \
    if (is_iterator(from)) return libc_result(-EINVAL);                                       \
    return libc_result(sys::call(SYS_sendfile, to, from, word(at), static_cast<long>(size))); \
  }
SENDFILE()
SENDFILE(64)

// What read(2) is called where the compiler knows how much room there is.
PORTOLAN_SHIM_EXPORT ssize_t __read_chk(int fd, void* to, size_t size, size_t room) {
  if (size > room) std::abort();
  return ::read(fd, to, size);
}
