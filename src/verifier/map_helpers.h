// SPDX-License-Identifier: Apache-2.0
// Which helper may be given which type of map.
#pragma once
#include <cstdint>

#include "abi/map_type.h"
#include "map/spec.h"

namespace portolan::verifier {

// As check_map_func_compatibility.
bool may_be_given(std::uint32_t helper, abi::MapType type);

// Whether peek_elem asks the map for the value that it is given.
constexpr bool peek_reads_value(const map::MapSpec& map) {
  return map.type == static_cast<std::uint32_t>(abi::MapType::kBloomFilter);
}

}  // namespace portolan::verifier
