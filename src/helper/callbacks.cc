// SPDX-License-Identifier: Apache-2.0
// Helpers that call functions of the program.
#include "helper/functions.h"
#include "helper/loops.h"
#include "helper/memory.h"
#include "map/map.h"

namespace portolan::helper::functions {

// Whoever executes programs goes on in the other one by itself: nothing calls this.
U64 tail_call(Run&, U64, U64, U64, U64, U64) { return negative(EINVAL); }

// The same.
U64 throw_(Run&, U64, U64, U64, U64, U64) { return 0; }

U64 for_each_map_elem(Run& run, U64 map_arg, U64 function, U64 context, U64 flags, U64) {
  struct Visitor {
    Run& run;
    U64 map, function, context;
  } visitor{run, map_arg, function, context};
  const auto visit = [](void* opaque, const std::byte* key, std::byte* value) {
    const Visitor& to = *static_cast<Visitor*>(opaque);
    return to.run.program->call_back(to.function, to.map, reinterpret_cast<std::uintptr_t>(key),
                                     reinterpret_cast<std::uintptr_t>(value), to.context, 0) == 0;
  };
  const auto visited = at<map::Map>(map_arg).for_each_callback(visit, &visitor, flags, run.cpu);
  return visited ? *visited : negative(visited.error().value);
}

U64 loop(Run& run, U64 count, U64 function, U64 context, U64 flags, U64) {
  const auto loops = static_cast<std::uint32_t>(count);
  if (flags != 0) return negative(EINVAL);
  if (loops > kMaxLoops) return negative(E2BIG);
  for (std::uint32_t i = 0; i < loops; ++i)
    if (run.program->call_back(function, i, context, 0, 0, 0) != 0) return i + 1;
  return loops;
}

}  // namespace portolan::helper::functions
