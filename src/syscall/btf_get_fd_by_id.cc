// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> btf_get_fd_by_id(const Call& call) {
  const abi::IdAttr& attr = call.attr.id;
  if ((attr.open_flags & ~abi::kTokenFdFlag) != 0) return fail(EINVAL);
  if ((attr.open_flags & abi::kTokenFdFlag) != 0) {
    // There are no tokens: an fd is closed, or not one.
    const int token = TRY(call.caller.resolve_fd(attr.fd_by_id_token_fd));
    (void)TRY(call.runtime.target_of_any_fd(token));
    return fail(EINVAL);
  }
  UniqueFd fd = TRY(call.runtime.open_by_id(object::Kind::kBtf, attr.btf_id, shm::Access::kReadWrite));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
