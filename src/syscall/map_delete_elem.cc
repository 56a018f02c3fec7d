// SPDX-License-Identifier: Apache-2.0
#include "map/scratch.h"
#include "syscall/call.h"

namespace portolan::syscall {

template <class C>
Result<long> map_delete_elem(const CallOf<C>& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_write()) return fail(EPERM);
  map::Scratch room;
  std::byte* const key = TRY(room.take(at.map->key_size()));
  TRY(call.caller.copy_in(key, attr.key, at.map->key_size()));
  TRY(at.map->delete_elem(key));
  return 0;
}

template Result<long> map_delete_elem(const CallOf<Caller>&);
template Result<long> map_delete_elem(const CallOf<LocalCaller>&);

}  // namespace portolan::syscall
