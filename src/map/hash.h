// SPDX-License-Identifier: Apache-2.0
// HASH: the shared table with one value per key.
#pragma once
#include "ds/hash_table.h"
#include "map/family.h"

namespace portolan::map {

// What HASH and PERCPU_HASH share: keys, iteration, deletion, batches.
class HashBase : public Map {
 public:
  HashBase(object::Mapped mapped, MapHeader* header);

  Result<void> get_next_key(const std::byte* key, std::byte* next_key) override;
  Result<void> delete_elem(const std::byte* key) override;
  Result<void> lookup_and_delete_elem(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> lookup_batch(const BatchCall& call) override { return walk_batch(call, false); }
  Result<void> lookup_and_delete_batch(const BatchCall& call) override { return walk_batch(call, true); }
  Result<void> update_batch(const BatchCall& call) override { return generic_update_batch(call); }
  Result<void> delete_batch(const BatchCall& call) override { return generic_delete_batch(call); }
  std::uint64_t element_count() const override { return table_.count(); }
  std::uint64_t mem_usage() const override;
  bool has_iterator() const override { return true; }
  bool has_seq_show() const override { return true; }
  KernelStruct kernel_struct() const override;
  static constexpr CheckBtf kCheckBtf = nullptr;
  void check(shm::Findings& findings) const override;

  const ds::HashTable& table() const { return table_; }

 protected:
  static Result<void> check_sizes(const MapSpec& spec);
  // What the table of such a map is like. `value_bytes`: the bytes of one element's value area.
  static ds::HashTableShape shape_of(const MapSpec& spec, std::uint64_t value_bytes);
  static Result<Layout> layout_of(const MapSpec& spec, const ds::HashTableShape& shape);
  // EINVAL: what lies in the region is not that table.
  static Result<void> attachable(object::Mapped& mapped, const ds::HashTableShape& shape);
  virtual void clear_all_fields(std::byte* value) const = 0;
  // Of a class whose value_in() says where lookup_elem's value lies in an element's.
  template <class T, bool keeps>
  InlineLookup find_by_word() const {
    InlineLookup lookup;
    if (key_size() != 4 && key_size() != 8) return lookup;
    lookup.way = InlineLookup::Way::kWordKey;
    lookup.find = key_size() == 4 ? find_word<T, 4, keeps> : find_word<T, 8, keeps>;
    return lookup;
  }
  // `value` nullptr: not wanted. ENOENT.
  virtual Result<void> erase(const sync::Actor& actor, const std::byte* key, std::byte* value) {
    return table_.erase(actor, key, value);
  }

  // As element_from(); the value where it lies.
  std::byte* find_from(std::uint64_t& place, std::byte* key) const;

  ds::HashTable& mutable_table() { return table_; }

 private:
  template <class T, unsigned kBytes, bool keeps>
  static std::byte* find_word(Map& map, std::uint64_t key, std::uint32_t cpu) {
    const T& self = static_cast<const T&>(map);
    std::byte* const value = self.table_.template find_word<kBytes, keeps>(key);
    return value == nullptr ? nullptr : self.value_in(value, cpu);
  }
  // in_batch and out_batch hold the number of elements of the slab that were passed.
  Result<void> walk_batch(const BatchCall& call, bool take);
  ds::HashTable table_;
};

class HashMap : public HashBase {
 public:
  using HashBase::HashBase;
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static ds::HashTableShape shape(const MapSpec& spec) {
    return shape_of(spec, round_up(spec.value_size, 8));
  }

  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  InlineLookup gen_lookup() const override { return find_by_word<HashMap, false>(); }
  std::byte* value_in(std::byte* area, std::uint32_t) const { return area; }
  std::optional<std::uint64_t> place_of(const std::byte* value) const override {
    return table().number_of(value);
  }
  std::byte* value_at(std::uint64_t place, std::byte* key) const override {
    return place <= UINT32_MAX ? table().value_at(static_cast<std::uint32_t>(place), key) : nullptr;
  }
  Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                           std::uint32_t cpu) override;
  Result<std::uint64_t> for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                          std::uint32_t cpu) override;
  std::byte* element_from(std::uint64_t& place, std::byte* key, std::byte*) override {
    return find_from(place, key);
  }

 protected:
  void clear_all_fields(std::byte* value) const override { clear_fields(value); }
  Result<void> erase(const sync::Actor& actor, const std::byte* key, std::byte* value) override;
  // Writes over the value of a key that is there, in place, but for the kernel's fields; under the value's
  // own lock with BPF_F_LOCK. In a new element those of `value` are what it begins with.
  Result<void> update_in_place(const sync::Actor& actor, const std::byte* key, const std::byte* value,
                               std::uint64_t flags);
  Result<void> check_update_flags(std::uint64_t flags) const;

 private:
  Result<void> update_without_fields(const sync::Actor& actor, const std::byte* key, const std::byte* value,
                                     std::uint64_t flags);
};

// How the map class T, whose `shape` says what its table is like, comes to be.
template <class T>
struct HashFamily : T {
  using T::T;
  static Result<Layout> layout(const MapSpec& spec) { return T::layout_of(spec, T::shape(spec)); }
  static void format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec) {
    ds::HashTable::format(state, offset, T::shape(spec));
  }
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header) {
    TRY(T::attachable(mapped, T::shape(header->spec)));
    return std::make_unique<HashFamily>(std::move(mapped), header);
  }
};

}  // namespace portolan::map
