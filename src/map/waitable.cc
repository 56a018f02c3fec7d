// SPDX-License-Identifier: Apache-2.0
#include "map/waitable.h"

#include <fcntl.h>

#include "map/map.h"
#include "map/perf_event.h"

namespace portolan::map {
namespace {

// A FIFO beside the state, made by the first who waits.
std::string wakeup_path(const object::View& view) {
  return object::object_path(view.kind(), view.id(), "wakeup");
}

}  // namespace

Waitable::~Waitable() {
  if (const int fd = wakeup_.load_acquire(); fd >= 0) (void)sys::close(fd);  // pairs with wake
}

// A byte that the FIFO cannot take is one too many: it is readable as it is.
void Waitable::wake() {
  const std::optional<ds::Watch::Word> wanted = watch().wanted();
  if (!wanted) return;
  int fd = wakeup_.load_acquire();  // pairs with itself
  if (fd < 0) {
    // For both: writing where nobody reads any more would be a SIGPIPE.
    const auto opened = sys::openat(waited_for().runtime().directory_fd(), wakeup_path(waited_for()).c_str(),
                                    O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (!opened) return;
    UniqueFd mine = raised(UniqueFd(*opened));
    fd = -1;
    if (wakeup_.cas_acq_rel(fd, mine.get()))
      fd = mine.release();  // else another thread was faster, and `fd` is its
  }
  const char byte = 1;
  (void)sys::call(SYS_write, fd, static_cast<long>(reinterpret_cast<std::intptr_t>(&byte)), 1);
  watch().given(*wanted);
}

Result<UniqueFd> Waitable::open_wakeup() {
  const std::string path = wakeup_path(waited_for());
  const long made =
      sys::call(SYS_mknodat, waited_for().runtime().directory_fd(),
                static_cast<long>(reinterpret_cast<std::intptr_t>(path.c_str())), S_IFIFO | 0600, 0);
  if (made < 0 && made != -EEXIST) return fail(static_cast<int>(-made));
  // For both, so that it never ends.
  UniqueFd fd(TRY(sys::openat(waited_for().runtime().directory_fd(), path.c_str(),
                              O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)));
  watch().begin();
  return fd;
}

void Waitable::take_wakeup(int wakeup) {
  char bytes[512];
  while (sys::call(SYS_read, wakeup, static_cast<long>(reinterpret_cast<std::intptr_t>(bytes)),
                   sizeof bytes) == static_cast<long>(sizeof bytes)) {
  }
  watch().begin();  // what comes after this look gives another
}

Waitable* waitable_of(object::View& view) {
  switch (view.kind()) {
    case object::Kind::kMap:
      return static_cast<Map&>(view).waitable();
    case object::Kind::kPerfEvent:
      return &static_cast<PerfEvent&>(view);
    case object::Kind::kProg:
    case object::Kind::kBtf:
    case object::Kind::kLink:
    case object::Kind::kHook:
    case object::Kind::kIterator:
      break;
  }
  return nullptr;
}

}  // namespace portolan::map
