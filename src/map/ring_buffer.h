// SPDX-License-Identifier: Apache-2.0
// RINGBUF: records from programs to one consumer, who maps the pages and waits by epoll.
#pragma once
#include "ds/record_ring.h"
#include "map/family.h"
#include "map/waitable.h"

namespace portolan::map {

class RingBufferMap final : public Map, public Waitable {
 public:
  RingBufferMap(object::Mapped mapped, MapHeader* header, ds::RecordRing ring)
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
  std::uint64_t mem_usage() const override;
  RingBufferMap* ring_buffer() override { return this; }
  void settle_the_dead() override;  // records of producers that died are given up
  std::string show_fdinfo() const override;
  void check(shm::Findings& findings) const override;

  ds::RecordRing& ring() { return ring_; }
  // Ends a reservation and wakes who waits, as `flags` (abi::ring_flag) ask.
  void commit(const ds::RecordRing::Record& record, bool discard, std::uint64_t flags);

 private:
  ds::Watch& watch() override { return ring_.watch(); }
  const object::View& waited_for() const override { return *this; }
  ds::RecordRing ring_;
};

}  // namespace portolan::map
