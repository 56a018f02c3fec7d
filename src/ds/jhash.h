// SPDX-License-Identifier: Apache-2.0
// Bob Jenkins' lookup3 hash of 32-bit words, as the kernel has it: where its results can be seen.
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace portolan::ds {

inline constexpr std::uint32_t kJhashStart = 0xdeadbeef;

// `words` > 0 words at `from`. `start`: kJhashStart + the number of bytes + the seed; a 32-bit number, or a
// vector of them for several seeds at once.
template <class T>
T jhash2(const std::byte* from, std::uint32_t words, T start) {
  const auto rotate = [](T value, int by) { return value << by | value >> (32 - by); };
  const auto word = [&](std::uint32_t index) {
    return load_unaligned<std::uint32_t>(from + std::size_t{index} * 4);
  };
  T a = start, b = start, c = start;
  for (; words > 3; words -= 3, from += 12) {
    a += word(0);
    b += word(1);
    c += word(2);
    a = (a - c) ^ rotate(c, 4), c += b;
    b = (b - a) ^ rotate(a, 6), a += c;
    c = (c - b) ^ rotate(b, 8), b += a;
    a = (a - c) ^ rotate(c, 16), c += b;
    b = (b - a) ^ rotate(a, 19), a += c;
    c = (c - b) ^ rotate(b, 4), b += a;
  }
  if (words > 2) c += word(2);
  if (words > 1) b += word(1);
  a += word(0);
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  return (c ^ b) - rotate(b, 24);
}

}  // namespace portolan::ds
