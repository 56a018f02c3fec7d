// SPDX-License-Identifier: Apache-2.0
// epoll of ring buffers. Their fds are files, which epoll does not take: in their place it watches a FIFO
// that producers write a byte to where the kernel would wake the poller. The events of a FIFO are marked by
// their data, and turned into what the ring has to say.
//
// As in the kernel, a ring that had something to say is listed, and asked again at each wait, until it has
// nothing; one that is not listed waits for a wakeup, though records may be there (BPF_RB_NO_WAKEUP). An
// epoll instance that watches rings can be watched itself.
#include "shim/epoll.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

#include <map>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/sys.h"
#include "map/waitable.h"
#include "shim/fd_close.h"
#include "shim/session.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

struct Watch {
  int epoll, fd;
  epoll_event wanted;
  object::ViewRef ring;  // none: `fd` is an epoll instance
  UniqueFd wakeup;       // of the ring
  bool is_listed = false;
  bool is_spent = false;  // EPOLLONESHOT
};

constexpr std::uint64_t kMark = 0x504f'5254'4f4c'0000;  // "PORTOL", and the number of a watch

// Never destroyed: the runtime may be gone before them when the process ends.
std::recursive_mutex& mutex = *new std::recursive_mutex;
std::map<std::uint16_t, Watch>& watches = *new std::map<std::uint16_t, Watch>;  // by number
sync::Atomic<std::uint32_t> watches_there;                                      // how many

map::Waitable& ring_of(const Watch& watch) { return *map::waitable_of(*watch.ring.get()); }

Watch* find(int epoll, int fd) {
  for (auto& [number, watch] : watches)
    if (watch.epoll == epoll && watch.fd == fd) return &watch;
  return nullptr;
}

bool is_readable(int fd) {
  struct pollfd one{fd, POLLIN, 0};
  return sys::call(SYS_poll, word(&one), 1, 0) > 0;
}

// What a listed watch has to tell now; one that has nothing is listed no more.
std::uint32_t tell(Watch& watch) {
  if (!watch.is_listed || watch.is_spent) return 0;
  std::uint32_t events = 0;
  if (watch.ring) {
    map::Waitable& ring = ring_of(watch);
    ring.settle_the_dead();
    events = ring.ask();
  } else if (epoll_has_records(watch.fd) != 0 || is_readable(watch.fd)) {
    events = EPOLLIN | EPOLLRDNORM;
  }
  events &= watch.wanted.events;
  if (events == 0 || (watch.wanted.events & EPOLLET) != 0) watch.is_listed = false;
  if (events != 0 && (watch.wanted.events & EPOLLONESHOT) != 0) watch.is_spent = true;
  return events;
}

// The FIFO, or the inner instance, has become readable.
void note(Watch& watch) {
  if (watch.ring) ring_of(watch).take_wakeup(watch.wakeup.get());
  watch.is_listed = true;
}

long watch_kernel(int epoll, int operation, int fd, std::uint16_t number) {
  epoll_event event{EPOLLIN, {.u64 = kMark | number}};
  return sys::call(SYS_epoll_ctl, epoll, operation, fd, word(&event));
}

// What epoll watches in the place of the fd.
int stand_in(const Watch& watch) { return watch.ring ? watch.wakeup.get() : watch.fd; }

long add(int epoll, int fd, object::View* ring, const epoll_event& wanted) {
  std::uint16_t number = 0;
  while (watches.contains(number))
    if (++number == 0) return -ENOSPC;
  Watch watch{epoll, fd, wanted, {}, {}};
  if (ring != nullptr) {
    watch.ring = object::ViewRef(*ring);
    auto wakeup = ring_of(watch).open_wakeup();
    if (!wakeup) return -wakeup.error().value;
    watch.wakeup = std::move(*wakeup);
  }
  watch.is_listed = true;  // it is asked once at least
  const long added = watch_kernel(epoll, EPOLL_CTL_ADD, stand_in(watch), number);
  if (added < 0) return added;
  watches.emplace(number, std::move(watch));
  watches_there.store_release(static_cast<std::uint32_t>(watches.size()));  // pairs with watches_rings
  return 0;
}

// -ENOENT: nothing of ours.
long change(int epoll, int operation, int fd, const epoll_event* wanted) {
  for (auto at = watches.begin(); at != watches.end(); ++at) {
    Watch& watch = at->second;
    if (watch.epoll != epoll || watch.fd != fd) continue;
    if (operation == EPOLL_CTL_ADD) return -EEXIST;
    if (operation == EPOLL_CTL_MOD) {
      watch.wanted = *wanted;
      watch.is_spent = false;
      watch.is_listed = true;
      return 0;
    }
    (void)sys::call(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, stand_in(watch), 0);
    watches.erase(at);
    watches_there.store_release(static_cast<std::uint32_t>(watches.size()));  // pairs with watches_rings
    return 0;
  }
  return -ENOENT;
}

// The view of the ring buffer that the fd is; nullptr: it is none.
object::View* ring_behind(int fd) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr || !there->is_handle(fd)) return nullptr;
  const auto target = there->target_of_any_fd(fd);
  return target && map::waitable_of(*target->view) != nullptr ? target->view : nullptr;
}

long control(int epoll, int operation, int fd, const epoll_event* wanted) {
  sync::CallEpoch epoch;
  object::View* const ring = ring_behind(fd);
  if (ring == nullptr && watches_there.load_acquire() == 0)  // pairs with add
    return sys::call(SYS_epoll_ctl, epoll, operation, fd, word(wanted));
  const std::lock_guard lock(mutex);
  const bool is_nested = ring == nullptr && watches_rings(fd) && epoll != fd;
  if (ring == nullptr && !is_nested && find(epoll, fd) == nullptr)
    return sys::call(SYS_epoll_ctl, epoll, operation, fd, word(wanted));
  if (operation != EPOLL_CTL_DEL && wanted == nullptr) return -EFAULT;
  const long changed = change(epoll, operation, fd, wanted);
  if (changed != -ENOENT || operation != EPOLL_CTL_ADD) return changed;
  return add(epoll, fd, ring, *wanted);
}

// The events of listed watches of an instance.
int collect(int epoll, epoll_event* events, int most) {
  int count = 0;
  for (auto& [number, watch] : watches) {
    if (watch.epoll != epoll || count == most) continue;
    if (const std::uint32_t told = tell(watch); told != 0) events[count++] = {told, watch.wanted.data};
  }
  return count;
}

// Turns the marked ones among the kernel's events into what the rings tell; how many events are left.
int translate(int epoll, epoll_event* events, int count) {
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event event = events[i];
    const auto at = watches.find(static_cast<std::uint16_t>(event.data.u64));
    if ((event.data.u64 & ~std::uint64_t{0xffff}) != kMark || at == watches.end() ||
        at->second.epoll != epoll) {
      events[kept++] = event;
      continue;
    }
    note(at->second);
    if (const std::uint32_t told = tell(at->second); told != 0)
      events[kept++] = {told, at->second.wanted.data};
  }
  return kept;
}

// `wait(events, most, timeout_ns)`: the system call; a negative time is for ever.
template <class Wait>
long wait_for_events(int epoll, epoll_event* events, int most, std::int64_t timeout_ns, Wait wait) {
  if (!watches_rings(epoll) || events == nullptr || most <= 0) return wait(events, most, timeout_ns);
  const std::uint64_t began = monotonic_ns();
  for (;;) {
    int count = 0;
    {
      const sync::CallEpoch epoch;  // not around the wait: a thread may sleep for long
      const std::lock_guard lock(mutex);
      count = collect(epoll, events, most);
    }
    if (count == most) return count;
    std::int64_t left = count != 0 ? 0 : timeout_ns;
    if (left > 0) {
      const auto passed = static_cast<std::int64_t>(monotonic_ns() - began);
      left = passed < timeout_ns ? timeout_ns - passed : 0;
    }
    const long got = wait(events + count, most - count, left);
    if (got < 0) return count != 0 ? count : got;
    if (got > 0) {
      const sync::CallEpoch epoch;
      const std::lock_guard lock(mutex);
      count += translate(epoll, events + count, static_cast<int>(got));
    }
    if (count != 0 || (got == 0 && left >= 0)) return count;
  }
}

}  // namespace

bool watches_rings(int fd) {
  if (watches_there.load_acquire() == 0) return false;  // pairs with add
  const std::lock_guard lock(mutex);
  for (const auto& [number, watch] : watches)
    if (watch.epoll == fd) return true;
  return false;
}

unsigned epoll_has_records(int fd) {
  if (!watches_rings(fd)) return 0;
  const std::lock_guard lock(mutex);
  unsigned told = 0;
  for (auto& [number, watch] : watches) {
    if (watch.epoll != fd || watch.is_spent) continue;
    if (watch.ring) {
      if (is_readable(watch.wakeup.get())) note(watch);
      const bool has = watch.is_listed && (ring_of(watch).ask() & watch.wanted.events) != 0;
      watch.is_listed = has;
      if (has) told = EPOLLIN;
    } else if (epoll_has_records(watch.fd) != 0) {
      watch.is_listed = true;
      told = EPOLLIN;
    }
  }
  return told;
}

void forget_watches(int fd) {
  if (watches_there.load_acquire() == 0) return;  // pairs with add
  const std::lock_guard lock(mutex);
  for (auto at = watches.begin(); at != watches.end();)
    if (at->second.epoll == fd || at->second.fd == fd) {
      if (at->second.fd == fd)
        (void)sys::call(SYS_epoll_ctl, at->second.epoll, EPOLL_CTL_DEL, stand_in(at->second), 0);
      at = watches.erase(at);
    } else {
      ++at;
    }
  watches_there.store_release(static_cast<std::uint32_t>(watches.size()));  // pairs with watches_rings
}

}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) noexcept {
  return static_cast<int>(libc_result(control(epoll, operation, fd, event)));
}

PORTOLAN_SHIM_EXPORT int epoll_pwait2(int epoll, struct epoll_event* events, int most,
                                      const struct timespec* timeout, const sigset_t* mask) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t ns = timeout == nullptr ? -1 : timeout->tv_sec * kSecond + timeout->tv_nsec;
  return static_cast<int>(
      libc_result(wait_for_events(epoll, events, most, ns, [&](epoll_event* to, int room, std::int64_t left) {
        const struct timespec time{left / kSecond, left % kSecond};
        return sys::call(SYS_epoll_pwait2, epoll, word(to), room, left < 0 ? 0 : word(&time), word(mask), 8);
      })));
}

PORTOLAN_SHIM_EXPORT int epoll_pwait(int epoll, struct epoll_event* events, int most, int timeout_ms,
                                     const sigset_t* mask) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  const std::int64_t ns = timeout_ms < 0 ? -1 : timeout_ms * kMillisecond;
  return static_cast<int>(
      libc_result(wait_for_events(epoll, events, most, ns, [&](epoll_event* to, int room, std::int64_t left) {
        const std::int64_t ms = left < 0 ? -1 : (left + kMillisecond - 1) / kMillisecond;
        return sys::call(SYS_epoll_pwait, epoll, word(to), room, ms, word(mask), 8);
      })));
}

PORTOLAN_SHIM_EXPORT int epoll_wait(int epoll, struct epoll_event* events, int most, int timeout_ms) {
  return epoll_pwait(epoll, events, most, timeout_ms, nullptr);
}
