// SPDX-License-Identifier: Apache-2.0
// The numbers that a CO-RE relocation stands for.
#pragma once
#include "btf/core_relo.h"

namespace portolan::btf {

// `found` is `spec` in the kernel's terms; nullptr: there is nothing like it. EINVAL, E2BIG: there is no such
// number, and `log` says why.
Result<CoreResult> core_values(const abi::CoreRelo& relo, const CoreSpec& spec, const CoreSpec* found,
                               Log* log);

}  // namespace portolan::btf
