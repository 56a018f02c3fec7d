// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

template <class C>
Result<long> map_delete_elem(const CallOf<C>& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_write()) return fail(EPERM);
  map::Scratch room;
  const std::byte* const key = TRY(stage_key(call, *at.map, attr.key, room));
  TRY(at.map->delete_elem(key));
  return 0;
}

template Result<long> map_delete_elem(const CallOf<Caller>&);
template Result<long> map_delete_elem(const CallOf<LocalCaller>&);

}  // namespace portolan::syscall
