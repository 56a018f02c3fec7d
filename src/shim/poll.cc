// SPDX-License-Identifier: Apache-2.0
// poll(2) of a map's fd: a map without a poll operation shows an error at once, where our file would be
// ready.
#include <poll.h>
#include <signal.h>
#include <time.h>

#include <vector>

#include "base/sys.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

// Calls `wait(fds, at_once)` with the handles taken out, and then says what the kernel says of those.
template <class Wait>
int poll_around_handles(struct pollfd* fds, nfds_t count, Wait wait) {
  object::Runtime* there = runtime_if_open();
  std::vector<nfds_t> handles;
  for (nfds_t i = 0; there != nullptr && fds != nullptr && i < count; ++i)
    if (fds[i].fd >= 0 && there->is_handle(fds[i].fd)) handles.push_back(i);
  if (handles.empty()) [[likely]]
    return static_cast<int>(libc_result(wait(fds, false)));
  std::vector<struct pollfd> others(fds, fds + count);
  for (const nfds_t i : handles) others[i].fd = -1;
  const long ready = wait(others.data(), true);
  if (ready < 0) return static_cast<int>(libc_result(ready));
  for (nfds_t i = 0; i < count; ++i) fds[i].revents = others[i].revents;
  for (const nfds_t i : handles) fds[i].revents = POLLERR;
  return static_cast<int>(ready) + static_cast<int>(handles.size());
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int poll(struct pollfd* fds, nfds_t count, int timeout_ms) {
  return poll_around_handles(fds, count, [&](struct pollfd* list, bool at_once) {
    return sys::call(SYS_poll, word(list), static_cast<long>(count), at_once ? 0 : timeout_ms);
  });
}

PORTOLAN_SHIM_EXPORT int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
                               const sigset_t* mask) {
  return poll_around_handles(fds, count, [&](struct pollfd* list, bool at_once) {
    // The kernel writes the time that is left; callers of libc do not expect that.
    struct timespec left = at_once || timeout == nullptr ? timespec{} : *timeout;
    const void* wait = at_once || timeout != nullptr ? &left : nullptr;
    return sys::call(SYS_ppoll, word(list), static_cast<long>(count), word(wait), word(mask), 8);
  });
}
