// SPDX-License-Identifier: Apache-2.0
// BLOOM_FILTER: values that were pushed are found by peek; some others are, too.
#pragma once
#include "ds/bloom_filter.h"
#include "map/family.h"

namespace portolan::map {

class BloomMap final : public Map {
 public:
  BloomMap(object::Mapped mapped, MapHeader* header, ds::BloomFilter filter)
      : Map(std::move(mapped), header), filter_(filter) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // zero bytes are an empty one
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static Result<void> check_btf(const btf::Btf& btf, const btf::MapTypes& types,
                                const btf::CheckedTypes& checked, std::uint32_t max_entries);
  static constexpr CheckBtf kCheckBtf = check_btf;

  bool peek_reads_value() const override { return true; }
  Result<void> lookup_elem_copy(const std::byte*, std::byte* value, std::uint64_t) override {
    return peek_elem(value);
  }
  Result<void> update_elem_copy(const std::byte*, const std::byte* value, std::uint64_t flags) override {
    return push_elem(value, flags);
  }
  Result<void> update_elem(const std::byte*, const std::byte*, std::uint64_t, std::uint32_t) override {
    return fail(EINVAL);
  }
  KernelStruct kernel_struct() const override;
  Result<void> push_elem(const std::byte* value, std::uint64_t flags) override;
  Result<void> peek_elem(std::byte* value) override;

 private:
  ds::BloomFilter filter_;
};

}  // namespace portolan::map
