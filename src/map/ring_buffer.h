// SPDX-License-Identifier: Apache-2.0
// RINGBUF: records from programs to one consumer, who maps the pages and waits by epoll.
#pragma once
#include "abi/map_flags.h"
#include "ds/record_ring.h"
#include "map/ring_map.h"

namespace portolan::map {

class RingBufferMap final : public RingMap {
 public:
  RingBufferMap(object::Mapped mapped, MapHeader* header, ds::RecordRing ring)
      : RingMap(std::move(mapped), header), ring_(ring) {}
  static Result<Layout> layout(const MapSpec& spec);
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);

  Result<void> mmap(bool writable, std::uint64_t offset, std::uint64_t length) const override;
  std::uint32_t poll() const override;
  RingBufferMap* ring_buffer() override { return this; }
  void settle_the_dead() override;  // records of producers that died are given up
  std::string show_fdinfo() const override;
  void check(shm::Findings& findings) const override;

  ds::RecordRing& ring() { return ring_; }
  // Ends a reservation and wakes who waits, as `flags` (abi::ring_flag) ask.
  void commit(const ds::RecordRing::Record& record, bool discard, std::uint64_t flags) {
    ring_.commit(record, discard);
    if ((flags & (abi::ring_flag::kNoWakeup | abi::ring_flag::kForceWakeup)) != abi::ring_flag::kNoWakeup)
      wake_for(record.position, flags);
  }

 private:
  void wake_for(std::uint64_t position, std::uint64_t flags);
  ds::Watch& watch() override { return ring_.watch(); }
  ds::RecordRing ring_;
};

}  // namespace portolan::map
