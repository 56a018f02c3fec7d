// SPDX-License-Identifier: Apache-2.0
// The seam for randomness (hash seeds, runtime ids).
#pragma once
#include <cstdint>

namespace portolan {

std::uint64_t random_u64();  // getrandom(2)

// Tests: `next` answers random_u64 until it is set back to nullptr.
void set_random_for_test(std::uint64_t (*next)());

}  // namespace portolan
