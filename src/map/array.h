// SPDX-License-Identifier: Apache-2.0
// ARRAY: values in a row, in the payload, or in user pages with BPF_F_MMAPABLE.
#pragma once
#include "ds/flat_array.h"
#include "map/family.h"

namespace portolan::map {

// What ARRAY and PERCPU_ARRAY answer alike.
class ArrayBase : public Map {
 public:
  using Map::Map;
  Result<void> get_next_key(const std::byte* key, std::byte* next_key) override;
  Result<void> delete_elem(const std::byte*) override { return fail(EINVAL); }
  Result<void> lookup_batch(const BatchCall& call) override { return generic_lookup_batch(call); }
  Result<void> update_batch(const BatchCall& call) override { return generic_update_batch(call); }
  bool has_iterator() const override { return true; }
  bool has_seq_show() const override { return true; }
  KernelStruct kernel_struct() const override;
  static constexpr CheckBtf kCheckBtf = btf::check_array_types;

 protected:
  Result<void> show_key(const btf::Btf& btf, const std::byte* key, std::string& out) const override;
  static std::uint32_t index_of(const std::byte* key) { return load_unaligned<std::uint32_t>(key); }
  static Result<void> check_sizes(const MapSpec& spec);
};

class ArrayMap final : public ArrayBase {
 public:
  ArrayMap(object::Mapped mapped, MapHeader* header, ds::FlatArray array)
      : ArrayBase(std::move(mapped), header), array_(array) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // zero bytes are an empty one
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);

  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  Result<void> mmap(bool writable, std::uint64_t offset, std::uint64_t length) const override;
  Result<void> get_hash(std::byte* sha256) const override;
  bool meta_equal(const MapSpec& meta) const override;
  std::uint64_t mem_usage() const override;
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                           std::uint32_t cpu) override;
  std::optional<std::uint64_t> place_of(const std::byte* value) const override;
  std::byte* value_at(std::uint64_t place, std::byte* key) const override;
  InlineLookup gen_lookup() const override;
  Result<std::byte*> direct_value_addr(std::uint32_t offset) const override;
  Result<std::uint32_t> direct_value_meta(const std::byte* address) const override;
  Result<std::uint64_t> for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                          std::uint32_t cpu) override;
  std::byte* element_from(std::uint64_t& place, std::byte* key, std::byte* values) override;

  const ds::FlatArray& array() const { return array_; }

 private:
  // User pages are a file that a holder of the fd may cut short: EFAULT then, where plain loads would fault.
  Result<void> read(const std::byte* at, std::byte* value) const;
  Result<void> write(std::byte* at, const std::byte* value) const;
  Result<void> can_touch(const std::byte* at) const;

  ds::FlatArray array_;
};

}  // namespace portolan::map
