// SPDX-License-Identifier: Apache-2.0
// PERCPU_HASH: each key has a value per possible CPU, written in place. System calls see all of them at once.
#pragma once
#include "map/hash.h"

namespace portolan::map {

class PerCpuHashMap : public HashBase {
 public:
  using HashBase::HashBase;
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static ds::HashTableShape shape(const MapSpec& spec) {
    // At most 32 KiB for each of at most 8192 CPUs, as the kernel allows: it fits.
    return shape_of(spec, round_up(spec.value_size, 8) * spec.cpus);
  }

  bool is_per_cpu() const override { return true; }
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  std::byte* lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) override;
  InlineLookup gen_lookup() const override { return find_by_word<PerCpuHashMap, false>(); }
  // A CPU's of the values of one key; nullptr: there is no such CPU.
  std::byte* value_in(std::byte* values, std::uint32_t cpu) const {
    return cpu < spec().cpus ? values + cpu * stride() : nullptr;
  }
  Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                           std::uint32_t cpu) override;
  Result<std::uint64_t> for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                          std::uint32_t cpu) override;
  std::byte* element_from(std::uint64_t& place, std::byte* key, std::byte* values) override;

 protected:
  void clear_all_fields(std::byte* value) const override;

 private:
  std::uint64_t stride() const { return round_up(value_size(), 8); }
  Result<ds::Insert> mode_of(std::uint64_t flags) const;
};

}  // namespace portolan::map
