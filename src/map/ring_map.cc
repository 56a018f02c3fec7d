// SPDX-License-Identifier: Apache-2.0
#include "map/ring_map.h"

#include "abi/map_flags.h"

namespace portolan::map {

Result<void> RingMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  const std::uint32_t size = spec.max_entries;
  if ((spec.map_flags & ~abi::map_flag::kNumaNode) != 0) return fail(EINVAL);
  if (spec.key_size != 0 || spec.value_size != 0 || size == 0 || (size & (size - 1)) != 0 ||
      size % kPageSize != 0)
    return fail(EINVAL);
  return {};
}

Result<void> RingMap::check_pages(std::uint64_t pages_size, std::uint64_t offset, std::uint64_t length) {
  if (offset > pages_size || round_up(length, kPageSize) > pages_size - offset) return fail(EINVAL);
  return {};
}

}  // namespace portolan::map
