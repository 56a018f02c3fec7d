// SPDX-License-Identifier: Apache-2.0
// The Internet checksum in one's complement arithmetic, as the kernel spells it (RFC 1071). Sums are of
// 16-bit words in the order in which they lie in memory.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>

namespace portolan::helper {

constexpr std::uint32_t add_checksums(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}
constexpr std::uint32_t subtract_checksums(std::uint32_t a, std::uint32_t b) { return add_checksums(a, ~b); }

// To 16 bits.
constexpr std::uint16_t narrow_checksum(std::uint32_t sum) {
  sum += sum >> 16 | sum << 16;
  return static_cast<std::uint16_t>(sum >> 16);
}
// As it stands in a header.
constexpr std::uint16_t fold_checksum(std::uint32_t sum) {
  return static_cast<std::uint16_t>(~narrow_checksum(sum));
}

// Of whole 32-bit words.
inline std::uint32_t checksum_of(std::span<const std::byte> words, std::uint32_t seed) {
  std::uint64_t sum = seed;
  for (std::size_t i = 0; i + 4 <= words.size(); i += 4) {
    std::uint32_t word;
    std::memcpy(&word, words.data() + i, 4);
    sum += word;
  }
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  return static_cast<std::uint32_t>((sum & 0xffff'ffff) + (sum >> 32));
}

// What a header's checksum becomes when a part of what it covers changes.
constexpr std::uint16_t replaced_4(std::uint16_t check, std::uint32_t from, std::uint32_t to) {
  const auto rest = subtract_checksums(static_cast<std::uint16_t>(~check), from);
  return fold_checksum(add_checksums(rest, to));
}
constexpr std::uint16_t replaced_2(std::uint16_t check, std::uint16_t from, std::uint16_t to) {
  const auto add = [](std::uint16_t a, std::uint16_t b) {
    const auto sum = static_cast<std::uint16_t>(a + b);
    return static_cast<std::uint16_t>(sum + (sum < b ? 1 : 0));
  };
  const std::uint16_t rest = add(static_cast<std::uint16_t>(~check), static_cast<std::uint16_t>(~from));
  return static_cast<std::uint16_t>(~add(rest, to));
}
constexpr std::uint16_t replaced_by_difference(std::uint16_t check, std::uint32_t difference) {
  return fold_checksum(add_checksums(difference, static_cast<std::uint16_t>(~check)));
}

}  // namespace portolan::helper
