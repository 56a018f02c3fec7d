// SPDX-License-Identifier: Apache-2.0
// How maps of a type come to be.
#pragma once
#include <memory>

#include "btf/map_check.h"
#include "map/map.h"

namespace portolan::map {

inline constexpr std::uint32_t kAccessFlags =
    abi::map_flag::kRdonly | abi::map_flag::kWronly | abi::map_flag::kRdonlyProg | abi::map_flag::kWronlyProg;
inline constexpr std::uint32_t kNoNumaNode = 0xffff'ffff;

// Bytes that the family wants: after the MapHeader in the payload, and as user pages.
struct Layout {
  std::uint64_t size = 0;
  std::uint64_t reserved = 0;  // of them, from the beginning
  std::uint64_t user_bytes = 0;
  std::uint32_t max_edges = 1;  // BTF, and what the map refers to
};

// What a type asks of its BTF beyond the sizes; nullptr: nothing, but then there must be a key's type.
using CheckBtf = Result<void> (*)(const btf::Btf& btf, const btf::MapTypes& types,
                                  const btf::CheckedTypes& checked, std::uint32_t max_entries);

// Of types that have none (map_check_no_btf): ENOTSUPP.
Result<void> check_no_btf(const btf::Btf& btf, const btf::MapTypes& types, const btf::CheckedTypes& checked,
                          std::uint32_t max_entries);

struct Family {
  std::uint32_t allowed_flags;
  std::uint32_t since;  // kernel version
  Result<void> (*alloc_check)(const MapSpec& spec, std::uint32_t numa_node);
  Result<Layout> (*layout)(const MapSpec& spec);
  void (*format)(const shm::Region& state, std::uint64_t offset, const MapSpec& spec);
  Result<std::unique_ptr<Map>> (*attach)(object::Mapped mapped, MapHeader* header);
  CheckBtf check_btf;
  bool is_of_maps;                   // created with an inner_map_fd
  void (*normalize)(MapSpec& spec);  // what the type makes of sizes that passed; nullptr: nothing
};

// nullptr: no such type (yet).
const Family* find_family(std::uint32_t type);
const char* type_name(std::uint32_t type);  // nullptr: no such type

// What every type asks first: EINVAL.
bool flags_are_allowed(const MapSpec& spec);

// A map that nobody can see yet: publish() makes it one. Flags and sizes have passed alloc_check. E2BIG,
// ENOMEM. `inner`: of a map of maps, what the inner ones must be like; else nullptr.
// `has_types`: BTF is to come, and with it maybe fields that refer to programs.
Result<object::Draft> draft_map(object::Runtime& runtime, const MapSpec& spec, const MapSpec* inner = nullptr,
                                bool has_types = false);
// The BTF that was given with it, before it is published.
void set_types(object::Draft& draft, const MapSpec& spec);

// object::ViewFactory of maps.
Result<std::unique_ptr<object::View>> make_map_view(object::Mapped mapped);

// Where the family's bytes begin, counted from the beginning of the state.
constexpr std::uint64_t family_offset(std::uint64_t payload_offset) {
  return payload_offset + round_up(sizeof(MapHeader), 64);
}

}  // namespace portolan::map
