// SPDX-License-Identifier: Apache-2.0
#include "syscall/next_id.h"

namespace portolan::syscall {

Result<long> prog_get_next_id(const Call& call) { return next_id(call, object::Kind::kProg); }

}  // namespace portolan::syscall
