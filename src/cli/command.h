// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string_view>

namespace portolan::cli {

using Arguments =
    std::span<char*>;  // without the program and the subcommand; ends with a null pointer behind it

// Each prints its own errors and returns the exit status.
int run(Arguments arguments);
int fsck(Arguments arguments);

inline constexpr std::string_view kRunUsage =
    "portolan run [--runtime DIR] [--kernel VERSION] [--btf FILE] [-v] [--] COMMAND [ARGUMENT...]";
inline constexpr std::string_view kFsckUsage = "portolan fsck DIR";

}  // namespace portolan::cli
