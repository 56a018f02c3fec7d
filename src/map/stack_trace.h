// SPDX-License-Identifier: Apache-2.0
// STACK_TRACE: call chains under a number.
#pragma once
#include <bit>

#include "ds/stack_table.h"
#include "map/family.h"

namespace portolan::map {

class StackTraceMap final : public Map {
 public:
  StackTraceMap(object::Mapped mapped, MapHeader* header);
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec);
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static constexpr CheckBtf kCheckBtf = check_no_btf;

  Result<void> get_next_key(const std::byte* key, std::byte* next_key) override;
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte*, const std::byte*, std::uint64_t) override {
    return fail(EINVAL);
  }
  Result<void> delete_elem(const std::byte* key) override;
  Result<void> lookup_and_delete_elem(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  std::uint64_t mem_usage() const override;
  KernelStruct kernel_struct() const override {
    return {"bpf_stack_map", {{"n_buckets", std::bit_ceil(max_entries())}}};
  }
  StackTraceMap* stack_traces() override { return this; }
  void check(shm::Findings& findings) const override;

  // Whether a frame is a bpf_stack_build_id, and not an address.
  bool has_build_ids() const { return spec().has(abi::map_flag::kStackBuildId); }
  std::uint32_t most_frames() const;
  ds::StackTable& table() { return table_; }

 private:
  ds::StackTable table_;
};

}  // namespace portolan::map
