// SPDX-License-Identifier: Apache-2.0
#include "map/array_of_maps.h"

namespace portolan::map {

Result<MapSpec> inner_template(const Map& example) {
  if (example.inner_spec() != nullptr) return fail(EINVAL);
  if (!example.may_be_inner()) return fail(kEnotsupp);
  return example.spec();
}

Result<std::uint32_t> inner_map_of_fd(const Map& owner, int fd) {
  const object::Target target = TRY(owner.runtime().target_of_fd(fd, object::Kind::kMap));
  if (!is_inner_map_of(owner, *target.view)) return fail(EINVAL);
  return target.view->id();
}

bool is_inner_map_of(const object::View& owner, const object::View& found) {
  const MapSpec* const meta = static_cast<const Map&>(owner).inner_spec();
  const auto& map = static_cast<const Map&>(found);
  return meta != nullptr && map.may_be_inner() && map.meta_equal(*meta);
}

Result<std::unique_ptr<Map>> ArrayOfMapsMap::attach(object::Mapped mapped, MapHeader* header) {
  return std::make_unique<ArrayOfMapsMap>(std::move(mapped), header);
}

std::byte* ArrayOfMapsMap::lookup_elem(const std::byte* key, std::uint32_t) {
  object::View* const found = references().find(index_of(key));
  return reinterpret_cast<std::byte*>(static_cast<Map*>(found));
}

}  // namespace portolan::map
