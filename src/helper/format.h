// SPDX-License-Identifier: Apache-2.0
// printf for programs: the conversions that the kernel's helpers allow, and nothing else.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace portolan::helper {

inline constexpr std::uint32_t kMostArguments = 12;  // MAX_BPRINTF_VARARGS

// The whole text, not cut off anywhere but where the kernel's room for strings ends. EINVAL: the format is
// malformed, or wants more arguments than there are; ENOSPC: the arguments take more room than the kernel
// has. Addresses among the arguments are read by copies that survive: a bad one shows as an empty string or
// as zeros.
Result<std::string> format_text(const char* format, std::span<const std::uint64_t> arguments);

// Whether so many arguments, whatever they are, suit the format: what the verifier asks of bpf_snprintf
// ("Invalid format string"). EINVAL.
Result<void> check_format(const char* format, std::uint32_t arguments);

}  // namespace portolan::helper
