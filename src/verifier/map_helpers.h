// SPDX-License-Identifier: Apache-2.0
// Which helper may be given which type of map.
#pragma once
#include <cstdint>

#include "abi/map_type.h"

namespace portolan::verifier {

// As check_map_func_compatibility.
bool may_be_given(std::uint32_t helper, abi::MapType type);

}  // namespace portolan::verifier
