// SPDX-License-Identifier: Apache-2.0
// syscall(2): bpf(2) ends here; so do the descriptor calls that a program makes by number.
#include <cstdarg>
#include <cstdint>

#include "base/sys.h"
#include "shim/fd_close.h"
#include "shim/perf_event.h"
#include "shim/session.h"
#include "syscall/dispatch.h"

namespace portolan::shim {
namespace {

[[gnu::noinline]] long bpf_first(long command, long attr, long size) {
  object::Runtime* there = runtime();
  if (there == nullptr) return -ENOSYS;
  return syscall::bpf(*there, caller(), static_cast<int>(command), static_cast<std::uint64_t>(attr),
                      static_cast<std::uint32_t>(size));
}

inline long bpf(long command, long attr, long size) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr) [[unlikely]]
    return bpf_first(command, attr, size);
  return syscall::bpf(*there, caller(), static_cast<int>(command), static_cast<std::uint64_t>(attr),
                      static_cast<std::uint32_t>(size));
}

[[gnu::noinline]] long other(long number, long a, long b, long c, long d, long e, long f) {
  switch (number) {
    case SYS_perf_event_open:
      if (const long opened = open_perf_event(a, b, c, d, e); opened != -ENOSYS) return opened;
      return sys::call(number, a, b, c, d, e, f);
    case SYS_close:
      return close_fd(static_cast<int>(a));
    case SYS_dup2:
      return dup_onto(static_cast<int>(a), static_cast<int>(b), 0, true);
    case SYS_dup3:
      return dup_onto(static_cast<int>(a), static_cast<int>(b), static_cast<int>(c), false);
    case SYS_close_range:
      return close_fds(static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(c));
    default:
      return sys::call(number, a, b, c, d, e, f);
  }
}

}  // namespace
}  // namespace portolan::shim

PORTOLAN_SHIM_EXPORT long syscall(long number, ...) noexcept {
  using namespace portolan::shim;
  va_list arguments;
  va_start(arguments, number);
  const long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
  if (number == SYS_bpf) [[likely]] {
    va_end(arguments);
    return libc_result(bpf(a, b, c));
  }
  const long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
  va_end(arguments);
  return libc_result(other(number, a, b, c, d, e, f));
}
