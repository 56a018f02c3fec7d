// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "abi/insn.h"
#include "base/result.h"
#include "btf/log.h"

namespace portolan::verifier {

// EINVAL: there is no such instruction, or a field that must be zero is not.
Result<void> check_encoding(std::span<const abi::Insn> insns, btf::Log* log);

}  // namespace portolan::verifier
