// SPDX-License-Identifier: Apache-2.0
// The seam for time. Code that needs time asks here, so that a test can say what time it is.
#pragma once
#include <time.h>

#include <cstdint>

namespace portolan {

std::uint64_t monotonic_ns();  // CLOCK_MONOTONIC
std::uint64_t boottime_ns();   // CLOCK_BOOTTIME

// Steps with the kernel's timer tick, every 1 to 10 ms: for "has a while passed", never for a duration that
// anyone sees. Cheaper than the time stamp counter, which virtual machines make slow: 3 ns where rdtsc is 10.
inline std::uint64_t coarse_ns() {
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

// Tests: `now` answers monotonic_ns and boottime_ns until it is set back to nullptr.
void set_clock_for_test(std::uint64_t (*now)());

}  // namespace portolan
