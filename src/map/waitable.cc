// SPDX-License-Identifier: Apache-2.0
#include "map/waitable.h"

#include <fcntl.h>
#include <fmt/format.h>

namespace portolan::map {
namespace {

// A FIFO beside the state, made by the first who waits.
std::string wakeup_path(const Map& map) { return fmt::format("objects/map{}/wakeup", map.id()); }

}  // namespace

WaitableMap::~WaitableMap() {
  if (const int fd = wakeup_.load_acquire(); fd >= 0) (void)sys::close(fd);  // pairs with wake
}

// A byte that the FIFO cannot take is one too many: it is readable as it is.
void WaitableMap::wake() {
  if (!watch().gives_wakeup()) return;
  int fd = wakeup_.load_acquire();  // pairs with itself
  if (fd < 0) {
    // For both: writing where nobody reads any more would be a SIGPIPE.
    const auto opened = sys::openat(runtime().directory_fd(), wakeup_path(*this).c_str(),
                                    O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (!opened) return;
    UniqueFd mine = raised(UniqueFd(*opened));
    fd = -1;
    if (wakeup_.cas_acq_rel(fd, mine.get()))
      fd = mine.release();  // else another thread was faster, and `fd` is its
  }
  const char byte = 1;
  (void)sys::call(SYS_write, fd, static_cast<long>(reinterpret_cast<std::intptr_t>(&byte)), 1);
}

Result<UniqueFd> WaitableMap::open_wakeup() {
  const std::string path = wakeup_path(*this);
  const long made =
      sys::call(SYS_mknodat, runtime().directory_fd(),
                static_cast<long>(reinterpret_cast<std::intptr_t>(path.c_str())), S_IFIFO | 0600, 0);
  if (made < 0 && made != -EEXIST) return fail(static_cast<int>(-made));
  // For both, so that it never ends.
  UniqueFd fd(
      TRY(sys::openat(runtime().directory_fd(), path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)));
  watch().begin();
  return fd;
}

void WaitableMap::take_wakeup(int wakeup) {
  char bytes[512];
  while (sys::call(SYS_read, wakeup, static_cast<long>(reinterpret_cast<std::intptr_t>(bytes)),
                   sizeof bytes) == static_cast<long>(sizeof bytes)) {
  }
  watch().take();
}

}  // namespace portolan::map
