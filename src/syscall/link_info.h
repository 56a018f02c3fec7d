// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "abi/info.h"
#include "hook/link.h"
#include "syscall/call.h"

namespace portolan::syscall {

// Fills in what of a link's info there is; `info` comes with the caller's own bytes where those go in.
// EINVAL, EFAULT, ENOSPC: the name was cut off.
Result<void> fill_link_info(const Call& call, const hook::Link& link, abi::LinkInfo& info);

}  // namespace portolan::syscall
