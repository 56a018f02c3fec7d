// SPDX-License-Identifier: Apache-2.0
#include "map/ring_buffer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include "abi/map_flags.h"

namespace portolan::map {

using ds::RecordRing;

namespace {

// A FIFO beside the state, made by the first who waits.
std::string wakeup_path(const Map& map) { return fmt::format("objects/map{}/wakeup", map.id()); }

}  // namespace

Result<void> RingBufferMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  const std::uint32_t size = spec.max_entries;
  if ((spec.map_flags & ~abi::map_flag::kNumaNode) != 0) return fail(EINVAL);
  if (spec.key_size != 0 || spec.value_size != 0 || size == 0 || (size & (size - 1)) != 0 ||
      size % kPageSize != 0)
    return fail(EINVAL);
  return {};
}

Result<Layout> RingBufferMap::layout(const MapSpec& spec) {
  const std::uint64_t control = RecordRing::control_size();
  return Layout{control, control, RecordRing::pages_size(spec.max_entries)};
}

Result<std::unique_ptr<Map>> RingBufferMap::attach(object::Mapped mapped, MapHeader* header) {
  const Bytes control = mapped.state.bytes().subspan(family_offset(mapped.payload_offset));
  const RecordRing ring =
      TRY(RecordRing::attach(control, mapped.user_pages.bytes(), header->spec.max_entries));
  return std::make_unique<RingBufferMap>(std::move(mapped), header, ring);
}

RingBufferMap::~RingBufferMap() {
  if (const int fd = wakeup_.load_acquire(); fd >= 0) (void)sys::close(fd);  // pairs with wake
}

Result<void> RingBufferMap::mmap(bool writable, std::uint64_t offset, std::uint64_t length) const {
  // Only the consumer's position is anybody's to write.
  if (writable && (offset != 0 || length > kPageSize)) return fail(EPERM);
  const std::uint64_t size = RecordRing::pages_size(max_entries());
  if (offset > size || round_up(length, kPageSize) > size - offset) return fail(EINVAL);
  return {};
}

std::uint32_t RingBufferMap::poll() const {
  return ring_.available() != 0 ? static_cast<std::uint32_t>(EPOLLIN | EPOLLRDNORM) : 0;
}

std::uint64_t RingBufferMap::mem_usage() const { return state().size() + user_pages().size(); }

std::string RingBufferMap::show_fdinfo() const {
  return Map::show_fdinfo() + fmt::format("dropped:\t{}\n", ring_.dropped());
}

void RingBufferMap::check(shm::Findings& findings) const {
  Map::check(findings);
  ring_.check(where(), findings);
}

void RingBufferMap::commit(const RecordRing::Record& record, bool discard, std::uint64_t flags) {
  const bool consumer_waits = ring_.commit(record, discard);
  if ((flags & abi::ring_flag::kForceWakeup) != 0 ||
      (consumer_waits && (flags & abi::ring_flag::kNoWakeup) == 0))
    wake();
}

void RingBufferMap::discard_of_dead() {
  const auto actor = runtime().actor();
  if (actor && ring_.discard_of_dead(*actor)) wake();
}

// A byte that the FIFO cannot take is one too many: it is readable as it is.
void RingBufferMap::wake() {
  if (!ring_.gives_wakeup()) return;
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

Result<UniqueFd> RingBufferMap::open_wakeup() {
  const std::string path = wakeup_path(*this);
  const long made =
      sys::call(SYS_mknodat, runtime().directory_fd(),
                static_cast<long>(reinterpret_cast<std::intptr_t>(path.c_str())), S_IFIFO | 0600, 0);
  if (made < 0 && made != -EEXIST) return fail(static_cast<int>(-made));
  // For both, so that it never ends.
  UniqueFd fd(
      TRY(sys::openat(runtime().directory_fd(), path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)));
  ring_.begin_watch();
  return fd;
}

void RingBufferMap::take_wakeup(int wakeup) {
  char bytes[512];
  while (sys::call(SYS_read, wakeup, static_cast<long>(reinterpret_cast<std::intptr_t>(bytes)),
                   sizeof bytes) == static_cast<long>(sizeof bytes)) {
  }
  ring_.take_wakeup();
}

}  // namespace portolan::map
