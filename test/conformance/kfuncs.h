// SPDX-License-Identifier: Apache-2.0
// Functions of the kernel that programs call, by their ids in its BTF.
#pragma once
#include <cstdint>
#include <string_view>

namespace portolan::conformance {

// 0: this machine's kernel has none of that name, or no BTF.
std::int32_t kfunc_id(std::string_view name);

}  // namespace portolan::conformance
