// SPDX-License-Identifier: Apache-2.0
// The user's end of rings, by the kernel's protocol: what ds/record_ring.cc and ds/user_ring.cc tell of the
// pages holds for the kernel's too. Nothing in the pages is trusted.
#include "portolan/ring_buffer.hpp"

#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "api/backend.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/fault_access.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "map/ring_map.h"
#include "portolan/typed_map.hpp"
#include "sync/call_epoch.h"

namespace portolan {
namespace {

constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;
constexpr std::uint32_t kHeaderBytes = 8;
constexpr std::uint64_t kPage = kPageSize;
// A producer that died holds the others' records back until somebody asks whether it lives.
constexpr std::uint64_t kLookAfterTheDead_ms = 100;
// The kernel calls a ring ready whose next record is not committed, or that has some room but not enough.
constexpr std::uint64_t kLookAgain_ns = 100'000;
constexpr std::uint64_t kLongest_ms = std::numeric_limits<int>::max();

std::uint64_t bytes_of_record(std::uint32_t size) { return round_up(std::uint64_t{size} + kHeaderBytes, 8); }

class Pages {
 public:
  Pages() = default;
  static Expected<Pages> map(int fd, std::uint64_t offset, std::uint64_t length, int protection) {
    const auto at = sys::mmap(nullptr, length, protection, MAP_SHARED, fd, offset);
    if (!at)
      return std::unexpected(Error(Operation::kFromFd, at.error().value, "its pages cannot be mapped"));
    Pages pages;
    pages.at_ = static_cast<std::byte*>(*at);
    pages.length_ = length;
    return pages;
  }
  Pages(Pages&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), length_(std::exchange(other.length_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(length_, other.length_);
    return *this;
  }
  ~Pages() {
    if (at_ != nullptr) (void)sys::munmap(at_, length_);
  }
  std::byte* at() const { return at_; }

 private:
  std::byte* at_ = nullptr;
  std::uint64_t length_ = 0;
};

}  // namespace

struct detail::RingState {
  RawMap map;
  Pages consumer_page, others{};  // the other pages: the producer's, and the data twice
  std::uint64_t size;
  std::uint64_t position = 0;     // the consumer's: of the next record; the producer's: of the next room
  std::uint32_t record_size = 0;  // of the record at `position`, once has_record() has said yes
  std::uint64_t given = 0;        // bytes of what front() gave; 0: nothing
  UniqueFd wakeup{};
  // A Portolan ring, kept mapped by `view`; nullptr for the kernel's.
  object::ViewRef view{};
  map::RingMap* ring = nullptr;

  std::uint64_t consumed() const { return load_or_zero<std::uint64_t>(consumer_page.at()); }
  std::uint64_t produced() const { return load_or_zero<std::uint64_t>(others.at()); }
  std::byte* header(std::uint64_t at) const { return others.at() + kPage + (at & (size - 1)); }
  std::byte* record(std::uint64_t at) const {
    return others.at() + kPage + ((at + kHeaderBytes) & (size - 1));
  }
  // Whether there is a record that can be read. What lies before it and was discarded is passed over.
  bool has_record();
  bool has_room(std::uint64_t bytes) const { return size - (position - consumed()) >= bytes; }
  void take_wakeup() const {
    if (ring != nullptr && wakeup.get() >= 0) ring->take_wakeup(wakeup.get());
    sync::fence_seq_cst();  // either the other end sees that we wait, or we see what it did
  }
};

namespace detail {

Ring::Ring(std::unique_ptr<RingState> state) : state_(std::move(state)) {}
Ring::Ring(Ring&&) noexcept = default;
Ring& Ring::operator=(Ring&&) noexcept = default;
Ring::~Ring() = default;

Expected<Ring> Ring::map(Expected<RawMap> map, MapType type) {
  map = expect_shape(std::move(map), type, 0, 0);
  if (!map) return std::unexpected(map.error());
  const bool consumes = type == MapType::kRingbuf;
  const std::uint64_t size = map->info().max_entries;
  auto consumer_page = Pages::map(map->fd(), 0, kPage, consumes ? PROT_READ | PROT_WRITE : PROT_READ);
  if (!consumer_page) return std::unexpected(consumer_page.error());
  auto others = Pages::map(map->fd(), kPage, kPage + 2 * size, consumes ? PROT_READ : PROT_READ | PROT_WRITE);
  if (!others) return std::unexpected(others.error());
  auto state =
      std::make_unique<RingState>(std::move(*map), std::move(*consumer_page), std::move(*others), size);
  if (object::Runtime* const runtime = state->map.runtime().backend()->runtime(); runtime != nullptr) {
    const sync::CallEpoch epoch;
    const auto target = runtime->target_of_fd(state->map.fd(), object::Kind::kMap);
    if (!target) return std::unexpected(Error(Operation::kFromFd, target.error().value));
    state->view = object::ViewRef(*target->view);
    state->ring = static_cast<map::RingMap*>(target->view);  // by its type
  }
  state->position = consumes ? state->consumed() : state->produced();
  return Ring(std::move(state));
}

Expected<int> Ring::ready_fd() {
  if (state_->ring == nullptr) return state_->map.fd();
  if (state_->wakeup.get() < 0) {
    auto made = state_->ring->open_wakeup();
    if (!made) return std::unexpected(Error(Operation::kWait, made.error().value));
    state_->wakeup = std::move(*made);
  }
  return state_->wakeup.get();
}

Expected<bool> Ring::wait(Milliseconds timeout, bool (*is_ready)(RingState&, std::uint32_t),
                          std::uint32_t size) {
  const auto fd = ready_fd();
  if (!fd) return std::unexpected(fd.error());
  const bool forever = timeout.count() < 0;
  const std::uint64_t end =
      monotonic_ns() + static_cast<std::uint64_t>(forever ? 0 : timeout.count()) * 1'000'000;
  for (;;) {
    state_->take_wakeup();
    if (is_ready(*state_, size)) return true;
    const std::uint64_t now = monotonic_ns();
    if (!forever && now >= end) return false;
    const std::uint64_t left =
        forever ? kLongest_ms : std::min((end - now + 999'999) / 1'000'000, kLongest_ms);
    const bool is_kernel = state_->ring == nullptr;
    const bool writes = is_kernel && state_->map.info().type == MapType::kUserRingbuf;
    struct pollfd one{*fd, static_cast<short>(writes ? POLLOUT : POLLIN), 0};
    const long polled = sys::call(SYS_poll, reinterpret_cast<std::intptr_t>(&one), 1,
                                  static_cast<long>(is_kernel ? left : std::min(left, kLookAfterTheDead_ms)));
    if (polled < 0 && polled != -EINTR)
      return std::unexpected(Error(Operation::kWait, static_cast<int>(-polled)));
    if (is_kernel && polled > 0 && !is_ready(*state_, size)) sys::sleep_ns(kLookAgain_ns);
    if (!is_kernel && polled == 0) state_->ring->settle_the_dead();
  }
}

Expected<void> Ring::pin(const std::string& path) const { return state_->map.pin(path); }
const MapInfo& Ring::info() const { return state_->map.info(); }
int Ring::fd() const { return state_->map.fd(); }

bool RingState::has_record() {
  const std::uint64_t produced = this->produced();
  while (produced - position != 0 && produced - position <= size) {
    const std::uint32_t length = load_or_zero<std::uint32_t>(header(position));
    if ((length & kBusy) != 0) return false;
    record_size = length & ~kDiscarded;
    const std::uint64_t bytes = bytes_of_record(record_size);
    if (bytes > produced - position) break;
    if ((length & kDiscarded) == 0) return true;
    position += bytes;
    (void)try_store(consumer_page.at(), position);
  }
  // All is read, or somebody wrote nonsense, and then what there is is lost.
  if (produced != position) {
    position = produced;
    (void)try_store(consumer_page.at(), position);
  }
  return false;
}

}  // namespace detail

std::optional<std::span<const std::byte>> RingBuffer::front() {
  detail::RingState& ring = state();
  ring.given = 0;
  if (!ring.has_record()) {
    // What ready_fd() tells of from now on came after this look.
    if (ring.wakeup.get() < 0) return {};
    ring.take_wakeup();
    if (!ring.has_record()) return {};
  }
  ring.given = bytes_of_record(ring.record_size);
  // The data lies twice in a row, so that a record that begins before the end goes on behind it.
  return std::span<const std::byte>(ring.header(ring.position) + kHeaderBytes, ring.record_size);
}

void RingBuffer::pop() {
  detail::RingState& ring = state();
  if (ring.given == 0) return;
  ring.position += std::exchange(ring.given, 0);
  (void)try_store(ring.consumer_page.at(), ring.position);
}

Expected<bool> RingBuffer::wait(std::chrono::milliseconds timeout) {
  return Ring::wait(timeout, [](detail::RingState& ring, std::uint32_t) { return ring.has_record(); }, 0);
}

Expected<std::span<std::byte>> UserRingBuffer::reserve(std::uint32_t size) {
  detail::RingState& ring = state();
  const std::uint64_t bytes = bytes_of_record(size);
  if (size >= kDiscarded || bytes > ring.size)
    return std::unexpected(Error(Operation::kUpdate, E2BIG, "the record is larger than the ring"));
  if (!ring.has_room(bytes)) return std::unexpected(Error(Operation::kUpdate, ENOSPC, "the ring is full"));
  std::byte* const header = ring.header(ring.position);
  std::byte* const record = ring.record(ring.position);
  const std::uint32_t length = size | kBusy;
  if (!try_store(header, length)) return std::unexpected(Error(Operation::kUpdate, EFAULT));
  ring.position += bytes;
  (void)try_store(ring.others.at(), ring.position);
  return std::span<std::byte>(record, size);
}

namespace {

void finish(const detail::RingState& ring, std::span<std::byte> record, std::uint32_t flag) {
  // A record at the beginning of the data has its header at the end.
  std::byte* const data = ring.record(0) - kHeaderBytes;
  std::byte* const header = (record.data() == data ? data + ring.size : record.data()) - kHeaderBytes;
  (void)try_store(header, static_cast<std::uint32_t>(record.size()) | flag);
}

}  // namespace

void UserRingBuffer::submit(std::span<std::byte> record) { finish(state(), record, 0); }
void UserRingBuffer::discard(std::span<std::byte> record) { finish(state(), record, kDiscarded); }

Expected<void> UserRingBuffer::push(std::span<const std::byte> record) {
  const auto room = reserve(static_cast<std::uint32_t>(std::min<std::size_t>(record.size(), kBusy)));
  if (!room) return std::unexpected(room.error());
  std::memcpy(room->data(), record.data(), record.size());
  submit(*room);
  return {};
}

Expected<bool> UserRingBuffer::wait_for_room(std::uint32_t size, std::chrono::milliseconds timeout) {
  return Ring::wait(
      timeout,
      [](detail::RingState& ring, std::uint32_t wanted) { return ring.has_room(bytes_of_record(wanted)); },
      size);
}

}  // namespace portolan
