// SPDX-License-Identifier: Apache-2.0
// Keys of LPM tries: few enough different ones that they are met again, and begin with one another.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "dice.h"

namespace portolan::conformance {

inline std::vector<std::byte> prefix(Dice& dice, std::size_t key_size, std::uint32_t max_entries) {
  std::vector<std::byte> key(key_size);
  if (key_size < 5) return key;
  const auto bits = static_cast<std::uint32_t>(key_size - 4) * 8;
  auto length = dice.one_in(3) ? bits : dice.below(bits + 1);
  if (dice.one_in(40)) length = bits + 1 + dice.below(100);
  std::memcpy(key.data(), &length, sizeof length);
  const std::uint32_t variety = 2 + std::min(max_entries, 200u) / 8;
  for (std::size_t at = 4; at < key_size; ++at)
    key[at] = static_cast<std::byte>(dice.below(variety) * 37 + (at == 4 ? 10 : 0));
  return key;
}

}  // namespace portolan::conformance
