// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4): the hash of an array's contents, and the tag of a program.
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace portolan::map {

class Sha256 {
 public:
  static constexpr std::size_t kSize = 32;
  void add(ConstBytes bytes);
  void finish(std::byte* digest);  // kSize bytes; nothing may be added afterwards

 private:
  void block(const std::uint8_t* bytes);
  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint8_t pending_[64];
  std::uint64_t length_ = 0;
};

}  // namespace portolan::map
