// SPDX-License-Identifier: Apache-2.0
// The first bytes of every region: what it is and for whom it was laid out. A region with another fingerprint
// is refused with a sentence that says what differs.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace portolan::shm {

inline constexpr std::uint64_t kMagic = 0x314e'4c54'524f'50ull;  // "PORTLN1" in little-endian bytes
inline constexpr std::uint32_t kLayoutVersion = 9;  // goes up with every change of any region's layout

enum class RegionKind : std::uint32_t {
  kControl = 1,
  kMap = 2,
  kProg = 3,
  kBtf = 4,
  kLink = 5,
  kPerfEvent = 6,
  kHook = 7,
  kIterator = 8,
  kTimers = 9
};

struct Fingerprint {
  std::uint64_t magic;
  std::uint32_t layout_version;
  RegionKind kind;
  std::uint32_t word_bits;       // 64
  std::uint32_t possible_cpus;   // vCPUs, as libbpf_num_possible_cpus() counts them
  std::uint32_t kernel_version;  // KERNEL_VERSION(major, minor, patch) that the runtime behaves as
  std::uint32_t reserved;
};
static_assert(sizeof(Fingerprint) == 32);

Fingerprint make_fingerprint(RegionKind kind, std::uint32_t possible_cpus, std::uint32_t kernel_version);
// Empty if `found` can be used where `expected` is; else a sentence that names what differs. kernel_version
// and possible_cpus are compared only when expected's are not 0.
std::string explain_mismatch(const Fingerprint& found, const Fingerprint& expected);

}  // namespace portolan::shm
