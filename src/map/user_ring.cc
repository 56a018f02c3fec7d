// SPDX-License-Identifier: Apache-2.0
#include "map/user_ring.h"

#include <sys/epoll.h>

#include "abi/map_flags.h"

namespace portolan::map {

using ds::UserRing;

namespace {

constexpr std::uint32_t kMostRecords = 128 * 1024;  // of one drain (BPF_MAX_USER_RINGBUF_SAMPLES)

}  // namespace

Result<Layout> UserRingMap::layout(const MapSpec& spec) {
  const std::uint64_t control = UserRing::control_size();
  return Layout{control, control, UserRing::pages_size(spec.max_entries)};
}

Result<std::unique_ptr<Map>> UserRingMap::attach(object::Mapped mapped, MapHeader* header) {
  const Bytes control = mapped.state.bytes().subspan(family_offset(mapped.payload_offset));
  const UserRing ring = TRY(UserRing::attach(control, mapped.user_pages.bytes(), header->spec.max_entries));
  return std::make_unique<UserRingMap>(std::move(mapped), header, ring);
}

// All but the consumer's position is the producer's to write.
Result<void> UserRingMap::mmap(bool writable, std::uint64_t offset, std::uint64_t length) const {
  if (writable && offset == 0) return fail(EPERM);
  return check_pages(UserRing::pages_size(max_entries()), offset, length);
}

std::uint32_t UserRingMap::poll() const {
  const std::uint64_t used = ring_.producer_position() - ring_.consumer_position();
  return used < ring_.size() ? static_cast<std::uint32_t>(EPOLLOUT | EPOLLWRNORM) : 0;
}

void UserRingMap::check(shm::Findings& findings) const {
  Map::check(findings);
  ring_.check(where(), findings);
}

Result<std::uint64_t> UserRingMap::drain(VisitRecord visit, void* context, std::uint64_t flags) {
  if (!ring_.begin(TRY(runtime().actor()))) return fail(EBUSY);
  Result<void> status;
  std::uint64_t seen = 0;
  bool goes_on = true;
  for (std::uint32_t n = 0; n < kMostRecords && goes_on; ++n) {
    const Result<UserRing::Record> record = ring_.peek();
    if (!record) {
      if (record.error().value == EAGAIN) continue;  // discarded
      if (record.error().value != ENODATA) status = fail(record.error());
      break;
    }
    goes_on = visit(context, record->bytes, record->size);
    ring_.release(*record);
    ++seen;
  }
  ring_.end();
  if ((flags & abi::ring_flag::kForceWakeup) != 0 ||
      ((flags & abi::ring_flag::kNoWakeup) == 0 && seen != 0)) {
    sync::fence_seq_cst();  // either the producer sees the room before it sleeps, or it is seen here
    wake();
  }
  if (!status) return fail(status.error());
  return seen;
}

}  // namespace portolan::map
