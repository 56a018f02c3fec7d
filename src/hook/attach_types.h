// SPDX-License-Identifier: Apache-2.0
// Which programs are attached to what.
#pragma once
#include <cstdint>

#include "abi/prog_type.h"

namespace portolan::hook {

// Which programs are attached so (attach_type_to_prog_type); kUnspec: none by these commands.
abi::ProgType program_type_of(std::uint32_t attach_type);
bool is_of_cgroups(abi::ProgType type);

}  // namespace portolan::hook
