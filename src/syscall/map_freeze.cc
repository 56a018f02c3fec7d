// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> map_freeze(const Call& call) {
  const MapFd at = TRY(map_of(call, call.attr.elem.map_fd));
  if (at.map->has_fields()) return fail(kEnotsupp);
  if (!at.can_write()) return fail(EPERM);
  TRY(at.map->freeze());
  return 0;
}

}  // namespace portolan::syscall
