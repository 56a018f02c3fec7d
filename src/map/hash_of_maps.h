// SPDX-License-Identifier: Apache-2.0
// HASH_OF_MAPS: the shared table, whose values are references to maps. See hash_of_maps.cc for the essay.
#pragma once
#include "map/array_of_maps.h"
#include "map/hash.h"

namespace portolan::map {

class HashOfMapsMap final : public HashBase {
 public:
  HashOfMapsMap(object::Mapped mapped, MapHeader* header)
      : HashBase(std::move(mapped), header),
        references_(*this, object::Kind::kMap, max_entries() + 1, is_inner_map_of) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec);
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static constexpr CheckBtf kCheckBtf = check_no_btf;
  static constexpr bool kIsOfMaps = true;

  bool has_seq_show() const override { return false; }
  bool has_iterator() const override { return false; }
  void let_go() override { references_.forget(); }
  bool takes_fds() const override { return true; }
  Result<std::uint32_t> fd_get_ptr(int fd) override { return inner_map_of_fd(*this, fd); }
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  Result<void> lookup_and_delete_elem(const std::byte*, std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  // The inner map itself, for helpers.
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  void check(shm::Findings& findings) const override;

 protected:
  void clear_all_fields(std::byte*) const override {}
  Result<void> erase(const sync::Actor& actor, const std::byte* key, std::byte* value) override;

 private:
  // What the table holds: one word, read and written whole.
  struct Value {
    std::uint32_t id, place;
  };
  Result<Value> find(const std::byte* key) const;
  Result<std::uint32_t> put(const sync::Actor& actor, const std::byte* key, std::uint32_t id,
                            std::uint64_t flags);
  Result<std::uint32_t> free_place() const;
  template <class Body>
  auto locked(const sync::Actor& actor, Body&& body);
  void repair();

  References references_;
};

}  // namespace portolan::map
