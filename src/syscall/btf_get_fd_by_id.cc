// SPDX-License-Identifier: Apache-2.0
#include "helper/kernel_btf.h"
#include "map/btf_object.h"
#include "syscall/call.h"

namespace portolan::syscall {
namespace {

// The kernel's own is an object of the runtime as soon as somebody asks for it, and for as long as somebody
// has it.
Result<UniqueFd> open_kernel_btf(object::Runtime& runtime) {
  constexpr auto kAccess = shm::Access::kReadWrite;
  for (;;) {
    auto there = runtime.open_by_id(object::Kind::kBtf, object::kKernelBtfId, kAccess);
    if (there || there.error().value != ENOENT) return there;
    const std::vector<std::byte> bytes = TRY(helper::read_kernel_btf(runtime));
    object::Draft draft = TRY(map::draft_btf(runtime, bytes));
    auto made = runtime.publish(std::move(draft), {}, kAccess, object::kKernelBtfId);
    if (made) return std::move(made->fd);
    if (made.error().value != EEXIST) return fail(made.error());  // else somebody was faster
  }
}

}  // namespace

Result<long> btf_get_fd_by_id(const Call& call) {
  const abi::IdAttr& attr = call.attr.id;
  if ((attr.open_flags & ~abi::kTokenFdFlag) != 0) return fail(EINVAL);
  if ((attr.open_flags & abi::kTokenFdFlag) != 0) {
    // There are no tokens: an fd is closed, or not one.
    const int token = TRY(call.caller.resolve_fd(attr.fd_by_id_token_fd));
    (void)TRY(call.runtime.target_of_any_fd(token));
    return fail(EINVAL);
  }
  UniqueFd fd = attr.btf_id == object::kKernelBtfId
                    ? TRY(open_kernel_btf(call.runtime))
                    : TRY(call.runtime.open_by_id(object::Kind::kBtf, attr.btf_id, shm::Access::kReadWrite));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
