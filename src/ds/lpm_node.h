// SPDX-License-Identifier: Apache-2.0
// A node of an LPM trie and where in it a prefix has its place. lpm_trie.cc says how nodes make a trie.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::ds {

inline const bool cpu_counts_bits = __builtin_cpu_supports("popcnt") != 0;

// Only where cpu_counts_bits. Assembly, because the compiler calls a function for it in what is to run on
// every x86-64.
inline unsigned count_ones(std::uint64_t word) {
  std::uint64_t count;
  __asm__("popcnt %1, %0" : "=r"(count) : "r"(word) : "cc");
  return static_cast<unsigned>(count);
}
inline unsigned ones(std::uint64_t word) {
  return cpu_counts_bits ? count_ones(word) : static_cast<unsigned>(std::popcount(word));
}

// What a place holds: 0 nothing, else a node's number << 1 or an element's << 1 | 1.
using LpmPlace = sync::Atomic<std::uint32_t>;

// The prefixes that begin with a node's position and go on for up to six bits, in post-order: what is longer
// comes before what it begins with. Those whose first bit is 0 are bits 0 to 62 of the first word, those
// whose first bit is 1 of the second, and bit 63 of that is the prefix that ends at the position. Only
// those of six bits may be more than an element of just that length: all that is longer lies there.
class LpmSpot {
 public:
  static constexpr unsigned kStride = 6;
  constexpr LpmSpot() = default;  // of the prefix that ends at the position
  // Of a prefix that goes on for `more` bits, of which `chunk` are the next six.
  LpmSpot(unsigned chunk, std::uint32_t more) {
    if (more == 0) return;
    half = chunk >> 5;
    bit = kBits[more < kStride ? kStride - more : 0][chunk & 31];
  }
  // How many of a node's spots in use come before this one.
  unsigned rank(std::uint64_t first, std::uint64_t second) const {
    const std::uint64_t before = (std::uint64_t{1} << bit) - 1;
    return half == 0 ? ones(first & before) : ones(first) + ones(second & before);
  }
  // A subtree of 32 leaves: those to the left and what they have completed come first.
  static constexpr unsigned bit_of(unsigned leaf, unsigned height) {
    const unsigned last = leaf | ((1u << height) - 1);
    return 2 * last - static_cast<unsigned>(std::popcount(last)) + height;
  }

  // Whether a bit, of the first 63, is of prefixes of six bits or more.
  static constexpr bool is_leaf(unsigned bit) {
    for (unsigned leaf = 0; leaf < 32; ++leaf)
      if (bit_of(leaf, 0) == bit) return true;
    return false;
  }
  bool operator==(const LpmSpot&) const = default;

  unsigned half = 1, bit = 63;

 private:
  using Bits = std::array<std::array<std::uint8_t, 32>, kStride>;
  static const Bits kBits;  // [height][leaf]
};

inline constexpr LpmSpot::Bits LpmSpot::kBits = [] {
  Bits bits{};
  for (unsigned height = 0; height < kStride; ++height)
    for (unsigned leaf = 0; leaf < 32; ++leaf)
      bits[height][leaf] = static_cast<std::uint8_t>(bit_of(leaf, height));
  return bits;
}();

// Of the spots that lie in the key's half of a node, those of prefixes that go on for at most `more` bits as
// the chunk does. The longest is the lowest bit.
inline constexpr auto kLpmWays = [] {
  std::array<std::array<std::uint64_t, 32>, LpmSpot::kStride> ways{};
  for (unsigned least = 0; least < LpmSpot::kStride; ++least)
    for (unsigned leaf = 0; leaf < 32; ++leaf)
      for (unsigned height = least; height < LpmSpot::kStride; ++height)
        ways[least][leaf] |= std::uint64_t{1} << LpmSpot::bit_of(leaf, height);
  return ways;
}();
inline std::uint64_t lpm_way(unsigned chunk, std::uint32_t more) {
  if (more >= LpmSpot::kStride) [[likely]]
    return kLpmWays[0][chunk & 31];
  return more == 0 ? 0 : kLpmWays[LpmSpot::kStride - more][chunk & 31];
}

// As long as its spots in use need; those never change, what they hold may.
struct LpmNode {
  sync::Atomic<std::uint64_t> spots[2];
  sync::Atomic<std::uint32_t> position;  // of its first bit, a multiple of kStride
  LpmPlace places[1];                    // of each spot in use, in order

  static constexpr unsigned kMostPlaces = 127;
  static constexpr std::array<std::uint32_t, 6> kSizes = {32, 64, 128, 256, 384, 576};  // bytes
  static constexpr unsigned capacity(unsigned size) { return (kSizes[size] - 20) / 4; }
  static constexpr unsigned least(unsigned size) { return size == 0 ? 2 : capacity(size - 1) + 1; }
  static unsigned size_for(unsigned count) {
    unsigned size = 0;
    while (capacity(size) < count) ++size;
    return size;
  }

  unsigned count() const { return ones(spots[0].load_relaxed()) + ones(spots[1].load_relaxed()); }
  // How many places are not empty.
  unsigned held() const {
    unsigned held = 0;
    for (unsigned rank = 0, end = count(); rank < end; ++rank) held += place(rank).load_relaxed() != 0;
    return held;
  }
  bool has(const LpmSpot& spot) const { return (spots[spot.half].load_relaxed() >> spot.bit & 1) != 0; }
  unsigned rank(const LpmSpot& spot) const {
    return spot.rank(spots[0].load_relaxed(), spots[1].load_relaxed());
  }
  bool has_own() const { return spots[1].load_relaxed() >> 63 != 0; }
  // Of the lowest bit of `way`, which are spots in use of that half.
  unsigned rank_of_lowest(unsigned half, std::uint64_t way) const {
    return (half == 0 ? 0 : ones(spots[0].load_relaxed())) +
           ones(spots[half].load_relaxed() & ~way & (way - 1));
  }
  const LpmPlace& place(unsigned rank) const { return const_cast<LpmNode*>(this)->place(rank); }
  LpmPlace& place(unsigned rank) {
    return *(reinterpret_cast<LpmPlace*>(reinterpret_cast<std::byte*>(this) + offsetof(LpmNode, places)) +
             rank);
  }
};
static_assert(offsetof(LpmNode, places) == 20 && LpmNode::capacity(5) >= LpmNode::kMostPlaces);

}  // namespace portolan::ds
