// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> link_get_fd_by_id(const Call& call) {
  UniqueFd fd =
      TRY(call.runtime.open_by_id(object::Kind::kLink, call.attr.id.link_id, shm::Access::kReadWrite));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
