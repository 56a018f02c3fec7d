// SPDX-License-Identifier: Apache-2.0
// What the context of cgroup_sysctl programs stands for: helpers know more of it than programs see.
#pragma once
#include <string_view>

#include "abi/context.h"

namespace portolan::helper {

inline constexpr std::uint32_t kMostSysctlBytes = 4096;

struct SysctlContext {
  abi::Sysctl seen;          // at the beginning: what programs see
  std::string_view name;     // below /proc/sys
  std::string_view current;  // empty: unknown
  std::byte* new_value;      // room for kMostSysctlBytes; nullptr: nothing is written
  std::uint32_t new_size;
  bool is_replaced;  // by a program
};

}  // namespace portolan::helper
