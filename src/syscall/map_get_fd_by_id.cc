// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> map_get_fd_by_id(const Call& call) {
  const abi::IdAttr& attr = call.attr.id;
  if ((attr.open_flags & ~kFileFlags) != 0) return fail(EINVAL);
  const shm::Access access = TRY(access_of(attr.open_flags));
  UniqueFd fd = TRY(call.runtime.open_by_id(object::Kind::kMap, attr.map_id, access));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
