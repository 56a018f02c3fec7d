// SPDX-License-Identifier: Apache-2.0
// USER_RINGBUF: records from a process that maps the pages, to programs that drain them.
#pragma once
#include "ds/user_ring.h"
#include "map/family.h"
#include "map/waitable.h"

namespace portolan::map {

class UserRingMap final : public Map, public Waitable {
 public:
  UserRingMap(object::Mapped mapped, MapHeader* header, ds::UserRing ring)
      : Map(std::move(mapped), header), ring_(ring) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // zero bytes are an empty one
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static constexpr CheckBtf kCheckBtf = nullptr;

  Result<void> get_next_key(const std::byte*, std::byte*) override { return fail(kEnotsupp); }
  Result<void> lookup_elem_copy(const std::byte*, std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  Result<void> update_elem_copy(const std::byte*, const std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  Result<void> delete_elem(const std::byte*) override { return fail(kEnotsupp); }
  Result<void> mmap(bool writable, std::uint64_t offset, std::uint64_t length) const override;
  std::uint32_t poll() const override;
  std::uint32_t ask() override { return poll(); }
  Waitable* waitable() override { return this; }
  std::uint64_t mem_usage() const override { return state().size() + user_pages().size(); }
  UserRingMap* user_ring() override { return this; }
  void check(shm::Findings& findings) const override;

  // Calls `visit` for each record that is ready, until it says no; how many those were. EBUSY: somebody else
  // does; EINVAL, E2BIG: the producer's nonsense. `flags`: abi::ring_flag, of who is woken.
  using VisitRecord = bool (*)(void* context, std::byte* bytes, std::uint32_t size);
  Result<std::uint64_t> drain(VisitRecord visit, void* context, std::uint64_t flags);

 private:
  ds::Watch& watch() override { return ring_.watch(); }
  const object::View& waited_for() const override { return *this; }
  ds::UserRing ring_;
};

}  // namespace portolan::map
