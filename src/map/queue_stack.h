// SPDX-License-Identifier: Apache-2.0
// QUEUE and STACK: values without keys, which leave at one end or the other.
#pragma once
#include "ds/bounded_ring.h"
#include "map/family.h"

namespace portolan::map {

class QueueStackMap : public Map {
 public:
  QueueStackMap(object::Mapped mapped, MapHeader* header, ds::BoundedRing ring, ds::BoundedRing::End end)
      : Map(std::move(mapped), header), ring_(ring), end_(end) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // zero bytes are an empty one
  static constexpr CheckBtf kCheckBtf = nullptr;

  Result<void> get_next_key(const std::byte*, std::byte*) override { return fail(EINVAL); }
  Result<void> lookup_elem_copy(const std::byte*, std::byte* value, std::uint64_t) override {
    return peek_elem(value);
  }
  Result<void> update_elem_copy(const std::byte*, const std::byte* value, std::uint64_t flags) override {
    return push_elem(value, flags);
  }
  Result<void> delete_elem(const std::byte*) override { return fail(EINVAL); }
  Result<void> lookup_and_delete_elem(const std::byte*, std::byte* value, std::uint64_t) override {
    return pop_elem(value);
  }
  Result<void> update_elem(const std::byte*, const std::byte*, std::uint64_t, std::uint32_t) override {
    return fail(EINVAL);
  }
  Result<void> push_elem(const std::byte* value, std::uint64_t flags) override;
  Result<void> pop_elem(std::byte* value) override;
  Result<void> peek_elem(std::byte* value) override;
  KernelStruct kernel_struct() const override {
    return {"bpf_queue_stack", {{"size", std::uint64_t{max_entries()} + 1}}};
  }
  void check(shm::Findings& findings) const override;

  const ds::BoundedRing& ring() const { return ring_; }

 protected:
  static Result<std::unique_ptr<Map>> attach_with(object::Mapped mapped, MapHeader* header,
                                                  ds::BoundedRing::End end);

 private:
  ds::BoundedRing ring_;
  ds::BoundedRing::End end_;  // where values leave
};

class QueueMap final : public QueueStackMap {
 public:
  using QueueStackMap::QueueStackMap;
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header) {
    return attach_with(std::move(mapped), header, ds::BoundedRing::End::kOldest);
  }
};

class StackMap final : public QueueStackMap {
 public:
  using QueueStackMap::QueueStackMap;
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header) {
    return attach_with(std::move(mapped), header, ds::BoundedRing::End::kNewest);
  }
};

}  // namespace portolan::map
