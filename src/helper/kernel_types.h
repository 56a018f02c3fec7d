// SPDX-License-Identifier: Apache-2.0
// The kernel's types as far as there is something behind them here, whatever machine this is: functions that
// programs call or are attached to, iterators, contexts, and what their structs refer to.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "btf/btf.h"

namespace portolan::helper {

// In C, for btf/declarations.h.
std::string kernel_declarations();

// A whole BTF of them.
std::vector<std::byte> own_kernel_types();

// The types of `kernel`, and behind them those of kernel_declarations() that it has not, as of an older
// kernel.
std::vector<std::byte> completed(const btf::Btf& kernel);

}  // namespace portolan::helper
