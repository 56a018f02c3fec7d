// SPDX-License-Identifier: Apache-2.0
#include "sync/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <time.h>

#include "base/sys.h"

namespace portolan::sync {
namespace {

long address_of(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

}  // namespace

void sleep_while(const Atomic<std::uint32_t>& word, std::uint32_t seen, std::uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  (void)sys::call(SYS_futex, address_of(&word), FUTEX_WAIT, static_cast<long>(seen), address_of(&timeout));
}

void wake_all(const Atomic<std::uint32_t>& word) {
  (void)sys::call(SYS_futex, address_of(&word), FUTEX_WAKE, INT_MAX);
}

}  // namespace portolan::sync
