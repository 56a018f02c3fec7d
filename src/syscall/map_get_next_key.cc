// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

template <class C>
Result<long> map_get_next_key(const CallOf<C>& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_read()) return fail(EPERM);
  map::Scratch key_room, next_room;
  const std::byte* key = nullptr;
  if (attr.key != 0) key = TRY(stage_key(call, *at.map, attr.key, key_room));
  std::byte* const next = TRY(next_room.take(at.map->key_size()));
  TRY(at.map->get_next_key(key, next));
  TRY(call.caller.copy_out(attr.next_key, next, at.map->key_size()));
  return 0;
}

template Result<long> map_get_next_key(const CallOf<Caller>&);
template Result<long> map_get_next_key(const CallOf<LocalCaller>&);

}  // namespace portolan::syscall
