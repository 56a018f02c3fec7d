// SPDX-License-Identifier: Apache-2.0
#include "syscall/next_id.h"

namespace portolan::syscall {

// The kernel's own comes first, whether or not anybody has it open.
Result<long> btf_get_next_id(const Call& call) {
  if (call.attr.id.start_id >= object::kKernelBtfId) return next_id(call, object::Kind::kBtf);
  TRY(call.put(offsetof(abi::IdAttr, next_id), object::kKernelBtfId));
  return 0;
}

}  // namespace portolan::syscall
