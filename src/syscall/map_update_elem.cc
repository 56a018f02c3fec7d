// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

template <class C>
Result<long> map_update_elem(const CallOf<C>& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_write()) return fail(EPERM);
  if (attr.flags != 0) TRY(at.map->check_op_flags(attr.flags, ~std::uint64_t{0}));
  map::Scratch key_room, value_room;
  const std::byte* const key = TRY(stage_key(call, *at.map, attr.key, key_room));
  const std::uint64_t length = at.map->value_bytes(attr.flags);
  std::byte* const value = TRY(value_room.take(length));
  std::memset(value + length, 0, round_up(length, 8) - length);
  TRY(call.caller.copy_in(value, attr.value, length));
  if (at.map->takes_fds()) [[unlikely]]
    call.caller.resolve_fd_in(value);
  TRY(at.map->update_elem_copy(key, value, attr.flags));
  return 0;
}

template Result<long> map_update_elem(const CallOf<Caller>&);
template Result<long> map_update_elem(const CallOf<LocalCaller>&);

}  // namespace portolan::syscall
