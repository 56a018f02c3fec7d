// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <atomic>

#include "base/clock.h"
#include "base/random.h"
#include "base/sys.h"

namespace portolan {
namespace {

std::atomic<std::uint64_t (*)()> test_clock{nullptr};
std::atomic<std::uint64_t (*)()> test_random{nullptr};

std::uint64_t read_clock(clockid_t clock) {
  if (auto now = test_clock.load(std::memory_order_acquire)) return now();  // pairs with set_clock_for_test
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

std::uint64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t boottime_ns() { return read_clock(CLOCK_BOOTTIME); }

std::uint64_t random_u64() {
  if (auto next = test_random.load(std::memory_order_acquire))
    return next();  // pairs with set_random_for_test
  std::uint64_t value = 0;
  while (sys::call(SYS_getrandom, static_cast<long>(reinterpret_cast<std::intptr_t>(&value)), sizeof value) !=
         static_cast<long>(sizeof value)) {
  }
  return value;
}

void set_clock_for_test(std::uint64_t (*now)()) { test_clock.store(now, std::memory_order_release); }
void set_random_for_test(std::uint64_t (*next)()) { test_random.store(next, std::memory_order_release); }

}  // namespace portolan
