// SPDX-License-Identifier: Apache-2.0
#include "syscall/bpffs_path.h"

#include <climits>

namespace portolan::syscall {

Result<BpffsPath> bpffs_path_of(const Call& call) {
  const abi::ObjAttr& attr = call.attr.obj;
  const bool has_directory = (attr.file_flags & abi::path_flag::kPathFd) != 0;
  char text[PATH_MAX];
  const std::size_t length = TRY(call.caller.copy_in_string(text, attr.pathname, sizeof text));
  if (length >= sizeof text) return fail(ENAMETOOLONG);
  BpffsPath found{AT_FDCWD, std::string(text, length)};
  if (found.path.starts_with('/')) {
    if (auto ours = call.runtime.translate_bpffs_path(found.path)) found.path = std::move(*ours);
    return found;
  }
  if (has_directory && attr.path_fd != AT_FDCWD)
    found.directory_fd = TRY(call.caller.resolve_fd(attr.path_fd));
  return found;
}

}  // namespace portolan::syscall
