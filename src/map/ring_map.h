// SPDX-License-Identifier: Apache-2.0
// What RINGBUF and USER_RINGBUF have in common: pages that the other end maps, and no elements.
#pragma once
#include "map/family.h"
#include "map/waitable.h"

namespace portolan::map {

class RingMap : public Map, public Waitable {
 public:
  using Map::Map;
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // zero bytes are an empty one
  static constexpr CheckBtf kCheckBtf = nullptr;

  Result<void> get_next_key(const std::byte*, std::byte*) override { return fail(kEnotsupp); }
  Result<void> lookup_elem_copy(const std::byte*, std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  Result<void> update_elem_copy(const std::byte*, const std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  Result<void> delete_elem(const std::byte*) override { return fail(kEnotsupp); }
  std::uint32_t ask() override { return poll(); }
  Waitable* waitable() override { return this; }
  KernelStruct kernel_struct() const override { return {"bpf_ringbuf_map"}; }
  std::uint64_t mem_usage() const override { return state().size() + user_pages().size(); }

 protected:
  // EINVAL: there are no such pages.
  static Result<void> check_pages(std::uint64_t pages_size, std::uint64_t offset, std::uint64_t length);

 private:
  const object::View& waited_for() const override { return *this; }
};

}  // namespace portolan::map
