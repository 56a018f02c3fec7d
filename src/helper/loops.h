// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::helper {

// How often bpf_loop calls at most, and may_goto falls through in one frame (BPF_MAX_LOOPS).
inline constexpr std::uint32_t kMaxLoops = 8 * 1024 * 1024;

}  // namespace portolan::helper
