// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> map_lookup_and_delete_batch(const Call& call) {
  const abi::BatchAttr& attr = call.attr.batch;
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_read() || !at.can_write()) return fail(EPERM);
  TRY(at.map->lookup_and_delete_batch({call.caller, attr, call.address + offsetof(abi::BatchAttr, count)}));
  return 0;
}

}  // namespace portolan::syscall
