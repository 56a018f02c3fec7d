// SPDX-License-Identifier: Apache-2.0
// The seam for time. Code that needs time asks here, so that a test can say what time it is.
#pragma once
#include <cstdint>

namespace portolan {

std::uint64_t monotonic_ns();  // CLOCK_MONOTONIC
std::uint64_t boottime_ns();   // CLOCK_BOOTTIME

// The time stamp counter: for "is this older than a millisecond", never for a duration that anyone sees.
inline std::uint64_t tsc() { return __builtin_ia32_rdtsc(); }
std::uint64_t tsc_per_ms();  // measured once, at the first call

// Tests: `now` answers monotonic_ns and boottime_ns until it is set back to nullptr.
void set_clock_for_test(std::uint64_t (*now)());

}  // namespace portolan
