// SPDX-License-Identifier: Apache-2.0
#include "helper/map_image.h"

#include <algorithm>

namespace portolan::helper {

Result<StructImage> image_of_map(const map::Map& map) {
  StructImage image = TRY(StructImage::create(map.runtime(), "bpf_map"));
  const map::MapSpec& spec = map.spec();
  image.set("id", map.id());
  image.set("map_type", static_cast<std::uint64_t>(spec.type));
  image.set("key_size", spec.key_size);
  image.set("value_size", spec.value_size);
  image.set("max_entries", spec.max_entries);
  image.set("map_flags", spec.map_flags);
  image.set("map_extra", spec.map_extra);
  image.set("btf_key_type_id", spec.btf_key_type_id);
  image.set("btf_value_type_id", spec.btf_value_type_id);
  image.set("frozen", map.is_frozen() ? 1 : 0);
  image.set("name", std::as_bytes(std::span(spec.name)));
  return image;
}

Result<void> show_map(map::Map& map) {
  if (map.image() != nullptr) return {};
  const map::KernelStruct shape = map.kernel_struct();
  if (shape.name == nullptr) return fail(EINVAL);
  StructImage image = TRY(StructImage::create(map.runtime(), shape.name));
  image.set("map", std::as_bytes(TRY(image_of_map(map)).words()));
  for (const auto& [member, value] : shape.members) image.set(member, value);
  auto words = std::make_unique<std::uint64_t[]>(image.words().size());
  std::ranges::copy(image.words(), words.get());
  map.show(std::move(words));
  return {};
}

}  // namespace portolan::helper
