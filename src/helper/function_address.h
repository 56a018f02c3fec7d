// SPDX-License-Identifier: Apache-2.0
// Where functions are that programs are attached to. Whoever may not see where the kernel's lie sees zeros:
// here each has an address that nothing lies at.
#pragma once
#include <cstdint>

namespace portolan::helper {

// Attachment::function of a probe is this and the number of its hook: more than there are types of a kernel.
inline constexpr std::uint32_t kFirstProbe = 1u << 24;

inline constexpr std::uint64_t kBytesOfFunction = 16;

constexpr std::uint64_t function_address(std::uint32_t function) {
  constexpr std::uint64_t kKernelText = 0xffff'ffff'8000'0000;
  return kKernelText + function * kBytesOfFunction;
}

// Of the function whose beginning that hook is.
constexpr std::uint64_t address_of_probe(std::uint32_t hook) { return function_address(kFirstProbe + hook); }

}  // namespace portolan::helper
