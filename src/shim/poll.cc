// SPDX-License-Identifier: Apache-2.0
// poll(2) of a map's fd: a map without a poll operation shows an error at once, where our file would be
// ready; a ring buffer waits for records.
#include <poll.h>
#include <signal.h>
#include <time.h>

#include <vector>

#include "base/sys.h"
#include "map/map.h"
#include "map/perf_event.h"
#include "shim/epoll.h"
#include "shim/session.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

// What the kernel says of a map's fd now.
short say_of_handle(object::Runtime& there, const struct pollfd& one) {
  const auto target = there.target_of_any_fd(one.fd);
  std::uint32_t events = POLLERR;
  if (target && target->view->kind() == object::Kind::kPerfEvent)
    events = static_cast<map::PerfEvent*>(target->view)->ask();
  else if (target && target->view->kind() == object::Kind::kMap)
    events = static_cast<map::Map*>(target->view)->poll();
  else if (target && target->view->kind() == object::Kind::kIterator)
    events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  return static_cast<short>(events & static_cast<unsigned>(one.events | POLLERR | POLLHUP));
}

struct Wakeup {
  object::ViewRef ring;
  UniqueFd fd;
  map::Waitable& object() const { return *map::waitable_of(*ring.get()); }
};

// What is to be waited for in the place of handles; true: there is something to say at once.
bool prepare(object::Runtime& there, const struct pollfd* fds, const std::vector<nfds_t>& handles,
             std::vector<struct pollfd>& others, std::vector<Wakeup>& wakeups, std::vector<short>& said) {
  const sync::CallEpoch epoch;
  bool at_once = false;
  for (struct pollfd& one : others) {
    if (epoll_has_records(one.fd) == 0) continue;
    one.fd = -1;
    at_once = true;
  }
  for (const nfds_t i : handles) {
    others[i].fd = -1;
    said[i] = say_of_handle(there, fds[i]);
    at_once |= said[i] != 0;
    const auto target = there.target_of_any_fd(fds[i].fd);
    map::Waitable* const ring = target ? map::waitable_of(*target->view) : nullptr;
    if (ring == nullptr || at_once) continue;
    if (auto wakeup = ring->open_wakeup()) {
      others[i] = {wakeup->get(), POLLIN, 0};
      wakeups.push_back({object::ViewRef(*target->view), std::move(*wakeup)});
    }
    said[i] = static_cast<short>(said[i] | say_of_handle(there, fds[i]));  // what came before anybody watched
    at_once |= said[i] != 0;
  }
  return at_once;
}

// What there is to say after the wait; of how many.
int tell(object::Runtime& there, struct pollfd* fds, const std::vector<nfds_t>& handles,
         const std::vector<struct pollfd>& others, const std::vector<Wakeup>& wakeups,
         const std::vector<short>& said) {
  const sync::CallEpoch epoch;
  for (const Wakeup& one : wakeups) one.object().take_wakeup(one.fd.get());
  int told = 0;
  for (nfds_t i = 0; i < others.size(); ++i) {
    fds[i].revents = others[i].fd == fds[i].fd ? others[i].revents : short{0};
    if (epoll_has_records(fds[i].fd) != 0) fds[i].revents = static_cast<short>(POLLIN & fds[i].events);
  }
  for (const nfds_t i : handles) fds[i].revents = static_cast<short>(said[i] | say_of_handle(there, fds[i]));
  for (nfds_t i = 0; i < others.size(); ++i) told += fds[i].revents != 0 ? 1 : 0;
  return told;
}

// Calls `wait(fds, at_once)` with the handles taken out, and then says what the kernel says of those. In the
// place of a ring buffer without records stands the FIFO that tells of some.
template <class Wait>
int poll_around_handles(struct pollfd* fds, nfds_t count, Wait wait) {
  object::Runtime* there = runtime_if_open();
  std::vector<nfds_t> handles;
  bool has_epoll = false;
  for (nfds_t i = 0; there != nullptr && fds != nullptr && i < count; ++i) {
    if (fds[i].fd >= 0 && there->is_handle(fds[i].fd)) handles.push_back(i);
    has_epoll |= watches_rings(fds[i].fd);
  }
  if (handles.empty() && !has_epoll) [[likely]]
    return static_cast<int>(libc_result(wait(fds, false)));
  for (;;) {
    std::vector<struct pollfd> others(fds, fds + count);
    std::vector<Wakeup> wakeups;
    std::vector<short> said(count);  // some things are said once only
    const bool at_once = prepare(*there, fds, handles, others, wakeups, said);
    const long ready = wait(others.data(), at_once);  // outside of any CallEpoch: a thread may sleep for long
    if (ready < 0) return static_cast<int>(libc_result(ready));
    const int told = tell(*there, fds, handles, others, wakeups, said);
    // Woken for a record that another has read by now: once more, though the time begins anew.
    if (told != 0 || ready == 0) return told;
  }
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
