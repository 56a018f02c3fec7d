// SPDX-License-Identifier: Apache-2.0
// Whether runs of programs are counted: while anybody, in any process, has an fd of BPF_ENABLE_STATS open.
#pragma once
#include "object/runtime.h"

namespace portolan::syscall {

// An fd that switches them on until its last copy is closed.
Result<UniqueFd> switch_statistics_on(object::Runtime& runtime);
bool statistics_are_on(object::Runtime& runtime);

}  // namespace portolan::syscall
