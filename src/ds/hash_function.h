// SPDX-License-Identifier: Apache-2.0
// A seeded hash for short keys: each 16 bytes of a key are one 64×64→128-bit multiplication whose halves are
// folded together, so every bit of the key reaches every bit of the result. Not cryptographic; a random seed
// keeps clients from aiming at a bucket by accident or by reading this file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace portolan::ds {

class HashFunction {
 public:
  HashFunction() : HashFunction(0) {}
  explicit HashFunction(std::uint64_t seed)
      : first_(seed ^ kOdd1), second_((fold(seed ^ kOdd2, kOdd3) ^ kOdd4) | 1) {}

  // A key of at most 8 bytes, zero-extended. Multiplied once more: of keys in a row the halves differ in a
  // few of their upper bits only, at the one end, or by the same step, at the other.
  std::uint64_t of_word(std::uint64_t word) const { return fold(word ^ first_, second_) * second_; }
  std::uint64_t of_two_words(std::uint64_t low, std::uint64_t high) const {
    return fold(fold(low ^ first_, high ^ second_) ^ high, kOdd3);
  }
  std::uint64_t of_bytes(const void* bytes, std::size_t size) const {
    const auto* at = static_cast<const std::byte*>(bytes);
    return of_pieces(size, [&at](void* to, std::size_t count) {
      std::memcpy(to, at, count);
      at += count;
    });
  }
  // The same, of bytes that `take(to, count)` copies out one piece after another, at most 16 at a time: all
  // but the last piece are 16 bytes long.
  template <class Take>
  std::uint64_t of_pieces(std::size_t size, Take&& take) const {
    std::uint64_t sum = first_ ^ size;
    for (; size > 16; size -= 16) {
      std::uint64_t piece[2];
      take(piece, sizeof piece);
      sum = fold(piece[0] ^ sum, piece[1] ^ second_) ^ kOdd2;
    }
    std::uint64_t last[2] = {0, 0};
    take(last, size);
    return fold(fold(last[0] ^ sum, last[1] ^ second_) ^ last[1], kOdd3);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // Odd numbers with about as many ones as zeros, from the bits of pi behind the point.
  static constexpr std::uint64_t kOdd1 = 0x243f'6a88'85a3'08d3, kOdd2 = 0x1319'8a2e'0370'7345,
                                 kOdd3 = 0xa409'3822'299f'31d1, kOdd4 = 0x082e'fa98'ec4e'6c89;
  std::uint64_t first_, second_;
};

}  // namespace portolan::ds
