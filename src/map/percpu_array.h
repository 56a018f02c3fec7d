// SPDX-License-Identifier: Apache-2.0
// PERCPU_ARRAY: a value per index and possible CPU. System calls see all of an index's values at once.
#pragma once
#include "map/array.h"

namespace portolan::map {

class PerCpuArrayMap final : public ArrayBase {
 public:
  PerCpuArrayMap(object::Mapped mapped, MapHeader* header, ds::FlatArray array)
      : ArrayBase(std::move(mapped), header), array_(array) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);

  bool is_per_cpu() const override { return true; }
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  std::uint64_t mem_usage() const override { return state().size(); }
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  std::byte* lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) override;
  Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                           std::uint32_t cpu) override;
  InlineLookup gen_lookup() const override;
  Result<std::uint64_t> for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                          std::uint32_t cpu) override;
  std::byte* element_from(std::uint64_t& place, std::byte* key, std::byte* values) override;

  const ds::FlatArray& array() const { return array_; }

 private:
  Result<std::uint32_t> index_for_update(const std::byte* key, std::uint64_t flags) const;
  ds::FlatArray array_;
};

}  // namespace portolan::map
