// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

using namespace abi::element_flag;

// What was removed is gone, also when it cannot be copied out.
Result<long> map_lookup_and_delete_elem(const Call& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  if ((attr.flags & ~kLock) != 0) return fail(EINVAL);
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_read() || !at.can_write()) return fail(EPERM);
  TRY(at.map->check_op_flags(attr.flags, kLock));
  map::Scratch key_room, value_room;
  const std::byte* const key = TRY(stage_key(call, *at.map, attr.key, key_room));
  const std::uint64_t length = at.map->value_bytes();
  std::byte* const value = TRY(value_room.take(length));
  TRY(at.map->lookup_and_delete_elem(key, value, attr.flags));
  TRY(call.caller.copy_out(attr.value, value, length));
  return 0;
}

}  // namespace portolan::syscall
