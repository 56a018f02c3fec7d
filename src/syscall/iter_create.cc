// SPDX-License-Identifier: Apache-2.0
#include "hook/iterator.h"
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> iter_create(const Call& call) {
  const abi::IterCreateAttr& attr = call.attr.iter_create;
  if (attr.flags != 0) return fail(EINVAL);
  const auto& link = static_cast<hook::Link&>(*TRY(call.target(attr.link_fd, object::Kind::kLink)).view);
  UniqueFd fd = TRY(hook::Iterator::create(link, {}));
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
