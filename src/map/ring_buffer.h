// SPDX-License-Identifier: Apache-2.0
// RINGBUF: records from programs to one consumer, who maps the pages and waits by epoll.
#pragma once
#include "base/unique_fd.h"
#include "ds/record_ring.h"
#include "map/family.h"

namespace portolan::map {

class RingBufferMap final : public Map {
 public:
  RingBufferMap(object::Mapped mapped, MapHeader* header, ds::RecordRing ring)
      : Map(std::move(mapped), header), ring_(ring) {}
  ~RingBufferMap() override;
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
  std::uint64_t mem_usage() const override;
  RingBufferMap* ring_buffer() override { return this; }
  std::string show_fdinfo() const override;
  void check(shm::Findings& findings) const override;

  ds::RecordRing& ring() { return ring_; }
  // Ends a reservation and wakes who waits, as `flags` (abi::ring_flag) ask.
  void commit(const ds::RecordRing::Record& record, bool discard, std::uint64_t flags);

  // A descriptor that becomes readable when the kernel would wake who polls the map: then take_wakeup() comes
  // first, and a look at poll() after it. Several such descriptors of a map share its wakeups.
  Result<UniqueFd> open_wakeup();
  void take_wakeup(int wakeup);
  // Records of producers that died are given up; who waits for them waits no more.
  void discard_of_dead();

 private:
  void wake();
  ds::RecordRing ring_;
  sync::Atomic<int> wakeup_{-1};  // this process's, for writing
};

}  // namespace portolan::map
