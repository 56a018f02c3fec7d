// SPDX-License-Identifier: Apache-2.0
#include "syscall/attach.h"

namespace portolan::syscall {

Result<long> link_detach(const Call& call) {
  auto& link =
      static_cast<hook::Link&>(*TRY(call.target(call.attr.link_detach.link_fd, object::Kind::kLink)).view);
  const abi::LinkType type = link.attributes().type;
  if (!hook::Link::is_changed(type) || type == abi::LinkType::kIter) return fail(EOPNOTSUPP);
  TRY(link.detach());
  return 0;
}

}  // namespace portolan::syscall
