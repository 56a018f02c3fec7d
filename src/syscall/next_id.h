// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <climits>

#include "syscall/call.h"

namespace portolan::syscall {

// What the *_GET_NEXT_ID commands share.
inline Result<long> next_id(const Call& call, object::Kind kind) {
  const abi::IdAttr& attr = call.attr.id;
  if (attr.start_id >= INT_MAX) return fail(EINVAL);
  const std::uint32_t id = TRY(call.runtime.next_id(kind, attr.start_id));
  TRY(call.put(offsetof(abi::IdAttr, next_id), id));
  return 0;
}

}  // namespace portolan::syscall
