// SPDX-License-Identifier: Apache-2.0
#include "syscall/bpffs_path.h"

namespace portolan::syscall {
namespace {

bool may_be_pinned(object::Kind kind) {
  return kind == object::Kind::kMap || kind == object::Kind::kProg || kind == object::Kind::kLink;
}

}  // namespace

Result<long> obj_pin(const Call& call) {
  const abi::ObjAttr& attr = call.attr.obj;
  if ((attr.file_flags & ~abi::path_flag::kPathFd) != 0) return fail(EINVAL);
  if (attr.file_flags == 0 && attr.path_fd != 0) return fail(EINVAL);
  const int fd = TRY(call.caller.resolve_fd(static_cast<int>(attr.bpf_fd)));
  const Result<object::Target> target = call.runtime.target_of_any_fd(fd);
  // A closed fd is of no kind that can be pinned.
  if (!target || !may_be_pinned(target->view->kind())) return fail(EINVAL);
  const BpffsPath place = TRY(bpffs_path_of(call));
  TRY(call.runtime.pin(*target->view, place.directory_fd, place.path.c_str(), 0600));
  return 0;
}

}  // namespace portolan::syscall
