// SPDX-License-Identifier: Apache-2.0
#include "map/ring_buffer.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include "abi/map_flags.h"

namespace portolan::map {

using ds::RecordRing;

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

Result<void> RingBufferMap::mmap(bool writable, std::uint64_t offset, std::uint64_t length) const {
  // Only the consumer's position is anybody's to write.
  if (writable && (offset != 0 || length > kPageSize)) return fail(EPERM);
  return check_pages(RecordRing::pages_size(max_entries()), offset, length);
}

std::uint32_t RingBufferMap::poll() const {
  return ring_.available() != 0 ? static_cast<std::uint32_t>(EPOLLIN | EPOLLRDNORM) : 0;
}

std::string RingBufferMap::show_fdinfo() const {
  return Map::show_fdinfo() + fmt::format("dropped:\t{}\n", ring_.dropped());
}

void RingBufferMap::check(shm::Findings& findings) const {
  Map::check(findings);
  ring_.check(where(), findings);
}

void RingBufferMap::wake_for(std::uint64_t position, std::uint64_t flags) {
  if (ring_.consumer_waits_at(position) || (flags & abi::ring_flag::kForceWakeup) != 0) wake();
}

void RingBufferMap::settle_the_dead() {
  if (!ring_.is_held_up()) return;
  const auto actor = runtime().actor();
  if (actor && ring_.discard_of_dead(*actor)) wake();
}

}  // namespace portolan::map
