// SPDX-License-Identifier: Apache-2.0
// Records that a run has reserved in ring buffers.
#pragma once
#include "helper/run.h"

namespace portolan::helper {

// nullptr: no room.
std::byte* reserve_record(Run& run, std::uint64_t map_arg, std::uint64_t size);
void end_record(Run& run, const std::byte* bytes, bool discard, std::uint64_t flags);

}  // namespace portolan::helper
