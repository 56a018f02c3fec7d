// SPDX-License-Identifier: Apache-2.0
// The kernel's struct of a map, for programs to read: what the map is like, as it is when this is made. What
// changes while a map is used, and pointers, are zeros.
#pragma once
#include "helper/struct_image.h"
#include "map/map.h"

namespace portolan::helper {

// Its struct bpf_map. What StructImage::create() says.
Result<StructImage> image_of_map(const map::Map& map);
// Gives the map its image(), unless it has one. EINVAL: programs may not read such maps; and the same.
Result<void> show_map(map::Map& map);

}  // namespace portolan::helper
