// SPDX-License-Identifier: Apache-2.0
// ARRAY_OF_MAPS, and what every map of maps asks of the maps in it.
#pragma once
#include "map/fd_array.h"

namespace portolan::map {

// What maps like `example` have in common, as the template of a new map of maps (bpf_map_meta_alloc). EINVAL:
// it is a map of maps itself; ENOTSUPP: its type cannot be an inner one.
Result<MapSpec> inner_template(const Map& example);
// The map behind a fd of this process, if it is like `owner`'s inner maps. EBADF, EINVAL.
Result<std::uint32_t> inner_map_of_fd(const Map& owner, int fd);
// References::Accepts of maps of maps.
bool is_inner_map_of(const object::View& owner, const object::View& found);
class ArrayOfMapsMap final : public FdArrayMap {
 public:
  ArrayOfMapsMap(object::Mapped mapped, MapHeader* header)
      : FdArrayMap(std::move(mapped), header, object::Kind::kMap, is_inner_map_of) {}
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static constexpr CheckBtf kCheckBtf = check_no_btf;
  static constexpr bool kIsOfMaps = true;

  bool has_seq_show() const override { return false; }
  Result<std::uint32_t> fd_get_ptr(int fd) override { return inner_map_of_fd(*this, fd); }
  // The inner map itself, for helpers.
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
};

}  // namespace portolan::map
