// SPDX-License-Identifier: Apache-2.0
#include "shm/fingerprint.h"

#include <fmt/format.h>

namespace portolan::shm {

Fingerprint make_fingerprint(RegionKind kind, std::uint32_t possible_cpus, std::uint32_t kernel_version) {
  return {kMagic, kLayoutVersion, kind, 64, possible_cpus, kernel_version, 0};
}

std::string explain_mismatch(const Fingerprint& found, const Fingerprint& expected) {
  const auto version = [](std::uint32_t v) {
    return fmt::format("{}.{}.{}", v >> 16, v >> 8 & 255, v & 255);
  };
  if (found.magic != expected.magic) return "it is no Portolan file";
  if (found.layout_version != expected.layout_version)
    return fmt::format("its layout is version {}, this program's is {}", found.layout_version,
                       expected.layout_version);
  if (found.kind != expected.kind)
    return fmt::format("it holds a region of kind {}, not {}", static_cast<unsigned>(found.kind),
                       static_cast<unsigned>(expected.kind));
  if (found.word_bits != expected.word_bits)
    return fmt::format("it was laid out for {}-bit words", found.word_bits);
  if (expected.possible_cpus != 0 && found.possible_cpus != expected.possible_cpus)
    return fmt::format("it was made for {} possible CPUs, this machine has {}", found.possible_cpus,
                       expected.possible_cpus);
  if (expected.kernel_version != 0 && found.kernel_version != expected.kernel_version)
    return fmt::format("it behaves as Linux {}, {} was asked for", version(found.kernel_version),
                       version(expected.kernel_version));
  return {};
}

}  // namespace portolan::shm
