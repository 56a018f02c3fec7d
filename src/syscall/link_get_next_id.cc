// SPDX-License-Identifier: Apache-2.0
#include "syscall/next_id.h"

namespace portolan::syscall {

Result<long> link_get_next_id(const Call& call) { return next_id(call, object::Kind::kLink); }

}  // namespace portolan::syscall
