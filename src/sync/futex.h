// SPDX-License-Identifier: Apache-2.0
// Sleeping until a word of shared memory changes.
#pragma once
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::sync {

// Returns when somebody has called wake_all on the word, when it is no longer `seen`, after so long, or for
// no reason at all.
void sleep_while(const Atomic<std::uint32_t>& word, std::uint32_t seen, std::uint64_t timeout_ns);
void wake_all(const Atomic<std::uint32_t>& word);

}  // namespace portolan::sync
