// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"
#include "verifier/program.h"

namespace portolan::syscall {

// The map lives as long as the program from now on, though no instruction names it.
Result<long> prog_bind_map(const Call& call) {
  const abi::ProgBindMapAttr& attr = call.attr.prog_bind_map;
  if (attr.flags != 0) return fail(EINVAL);
  const object::Target program = TRY(call.target(attr.prog_fd, object::Kind::kProg));
  const object::Target map = TRY(call.target(attr.map_fd, object::Kind::kMap));
  for (const std::uint32_t id : TRY(static_cast<verifier::Program*>(program.view)->map_ids()))
    if (id == map.view->id()) return 0;
  const Result<void> bound =
      call.runtime.add_edge(*program.view, {object::Kind::kMap, map.view->id()}, verifier::kMostProgramEdges);
  if (!bound) return fail(bound.error().value == ENOSPC ? ENOMEM : bound.error().value);
  return 0;
}

}  // namespace portolan::syscall
