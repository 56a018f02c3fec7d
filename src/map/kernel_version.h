// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::map {

// As Runtime::kernel_version() counts: KERNEL_VERSION(major, minor, 0).
constexpr std::uint32_t kernel_version(std::uint32_t major, std::uint32_t minor) {
  return major << 16 | minor << 8;
}

inline constexpr std::uint32_t kCpuFlagsSince = kernel_version(7, 0);  // BPF_F_CPU, BPF_F_ALL_CPUS

}  // namespace portolan::map
