// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "jit/source.h"
#include "vm/executable.h"

namespace portolan::vm {

// What a tail call through entry `index` of the map goes on as; executable nullptr: there is none, or it was
// one too many.
struct TailTarget {
  map::ProgramView* view = nullptr;
  const Executable* executable = nullptr;
};
TailTarget tail_target(helper::Run& run, std::uint64_t map, std::uint32_t index);

// The same for machine code. A target that has none is run to its end here.
jit::TailTarget native_tail_call(helper::Run& run, std::uint64_t context, std::uint64_t map,
                                 std::uint64_t index);

}  // namespace portolan::vm
