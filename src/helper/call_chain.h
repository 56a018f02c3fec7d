// SPDX-License-Identifier: Apache-2.0
// Where this thread was called from, as a program's user stack.
#pragma once
#include <cstdint>
#include <span>

#include "abi/map_value.h"

namespace portolan::helper {

// Fills `frames` with return addresses, innermost first, and says how many there are: of the callers of the
// function whose frame `from` is. Found by frame pointers, so code that has none ends it. Our own frames are
// left out where our code is a library of its own.
std::uint32_t call_chain(std::span<std::uint64_t> frames, const void* from);

// Which file, by its build ID, and where in it; or the address, where that is not known.
abi::StackBuildId build_id_of(std::uint64_t address);

}  // namespace portolan::helper
