// SPDX-License-Identifier: Apache-2.0
#include "syscall/bpffs_path.h"

namespace portolan::syscall {

Result<long> obj_get(const Call& call) {
  const abi::ObjAttr& attr = call.attr.obj;
  if (attr.bpf_fd != 0 || (attr.file_flags & ~(kFileFlags | abi::path_flag::kPathFd)) != 0)
    return fail(EINVAL);
  if ((attr.file_flags & abi::path_flag::kPathFd) == 0 && attr.path_fd != 0) return fail(EINVAL);
  const shm::Access wanted = TRY(access_of(attr.file_flags));
  const BpffsPath place = TRY(bpffs_path_of(call));
  const auto [kind, id] = TRY(call.runtime.read_pin(place.directory_fd, place.path.c_str()));
  // Only maps have fds that may read or write alone.
  const shm::Access access = kind == object::Kind::kMap ? wanted : shm::Access::kReadWrite;
  UniqueFd fd = TRY(call.runtime.open_by_id(kind, id, access));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
