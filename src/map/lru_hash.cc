// SPDX-License-Identifier: Apache-2.0
#include "map/lru_hash.h"

namespace portolan::map {

void round_up_to_cpus(MapSpec& spec) {
  const std::uint64_t rounded = (std::uint64_t{spec.max_entries} + spec.cpus - 1) / spec.cpus * spec.cpus;
  if (rounded <= UINT32_MAX) spec.max_entries = static_cast<std::uint32_t>(rounded);
}

// Only programs' lookups keep a key: a dump by system calls tells nothing about what is in use.
std::byte* LruHashMap::lookup_elem(const std::byte* key, std::uint32_t) { return table().find_and_keep(key); }

std::byte* LruPerCpuHashMap::lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) {
  std::byte* const values = table().find_and_keep(key);
  return values == nullptr ? nullptr : value_in(values, cpu);
}

}  // namespace portolan::map
