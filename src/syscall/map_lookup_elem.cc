// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

using namespace abi::element_flag;

template <class C>
Result<long> map_lookup_elem(const CallOf<C>& call) {
  const abi::ElemAttr& attr = call.attr.elem;
  // Before version 7.0, flags come before the fd.
  if (attr.flags != 0 && (attr.flags & ~kLock) != 0 && call.runtime.kernel_version() < map::kCpuFlagsSince)
      [[unlikely]]
    return fail(EINVAL);
  const MapFd at = TRY(map_of(call, attr.map_fd));
  if (!at.can_read()) return fail(EPERM);
  if (attr.flags != 0) [[unlikely]]
    TRY(at.map->check_op_flags(attr.flags, kLock | kCpu));
  map::Scratch key_room, value_room;
  const std::byte* const key = TRY(stage_key(call, *at.map, attr.key, key_room));
  const std::uint64_t length = at.map->value_bytes(attr.flags);
  std::byte* const value = TRY(value_room.take(length));
  if (at.map->peek_reads_value()) [[unlikely]] {
    std::memset(value + length, 0, round_up(length, 8) - length);
    TRY(call.caller.copy_in(value, attr.value, length));
    TRY(at.map->lookup_elem_sys_only(key, value, attr.flags));
    return 0;
  }
  TRY(at.map->lookup_elem_sys_only(key, value, attr.flags));
  TRY(call.caller.copy_out(attr.value, value, length));
  return 0;
}

template Result<long> map_lookup_elem(const CallOf<Caller>&);
template Result<long> map_lookup_elem(const CallOf<LocalCaller>&);

}  // namespace portolan::syscall
