// SPDX-License-Identifier: Apache-2.0
// USER_RINGBUF: records from a process that maps the pages, to programs that drain them.
#pragma once
#include "ds/user_ring.h"
#include "map/ring_map.h"

namespace portolan::map {

class UserRingMap final : public RingMap {
 public:
  UserRingMap(object::Mapped mapped, MapHeader* header, ds::UserRing ring)
      : RingMap(std::move(mapped), header), ring_(ring) {}
  static Result<Layout> layout(const MapSpec& spec);
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);

  Result<void> mmap(bool writable, std::uint64_t offset, std::uint64_t length) const override;
  std::uint32_t poll() const override;
  UserRingMap* user_ring() override { return this; }
  void check(shm::Findings& findings) const override;

  // Calls `visit` for each record that is ready, until it says no; how many those were. EBUSY: somebody else
  // does; EINVAL, E2BIG: the producer's nonsense. `flags`: abi::ring_flag, of who is woken.
  using VisitRecord = bool (*)(void* context, std::byte* bytes, std::uint32_t size);
  Result<std::uint64_t> drain(VisitRecord visit, void* context, std::uint64_t flags);

 private:
  ds::Watch& watch() override { return ring_.watch(); }
  ds::UserRing ring_;
};

}  // namespace portolan::map
