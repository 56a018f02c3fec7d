// SPDX-License-Identifier: Apache-2.0
// Where things are in an LPM trie's nodes: shared by its readers and writers, and by nobody else.
#pragma once
#include "ds/lpm_trie.h"

namespace portolan::ds {

inline LpmTrie::Element* LpmTrie::element_in(std::uint32_t word) const {
  if (word == 0 || !is_element(word) || !elements_.is_index(index_of(word))) return nullptr;
  return element(index_of(word));
}

inline LpmTrie::Node* LpmTrie::node_in(std::uint32_t word) const {
  if (word == 0 || is_element(word) || !nodes_.is_index(index_of(word))) return nullptr;
  return node(index_of(word));
}

// Three bits; those beyond the data are 0.
inline unsigned LpmTrie::bits_at(const std::byte* data, std::uint32_t position) const {
  const std::uint32_t at = position / 8;
  const unsigned first = at < shape_.data_size ? std::to_integer<unsigned>(data[at]) : 0;
  const unsigned second = at + 1 < shape_.data_size ? std::to_integer<unsigned>(data[at + 1]) : 0;
  return (first << 8 | second) >> (13 - position % 8) & 7;
}

// The place in a node at `position` of a prefix of `length` bits, whose three bits there are `bits`.
inline unsigned LpmTrie::place_of(std::uint32_t position, unsigned bits, std::uint32_t length) {
  const std::uint32_t more = length - position;
  return (8 | bits) >> (more < kStride ? kStride - more : 0);
}

// Places in post-order: what is longer comes before what it begins with.
inline constexpr std::uint8_t kPostOrder[15] = {8, 9, 4, 10, 11, 5, 2, 12, 13, 6, 14, 15, 7, 3, 1};

inline unsigned LpmTrie::rank_of(unsigned place) {
  unsigned rank = 0;
  while (kPostOrder[rank] != place) ++rank;
  return rank;
}

// What the first place in use holds, from that rank on; 0: there is none.
inline std::uint32_t LpmTrie::next_place(Node& at, unsigned rank) {
  for (; rank < kPlaces; ++rank)
    if (const std::uint32_t word = at.place(kPostOrder[rank]).load_acquire(); word != 0)  // pairs with commit
      return word;
  return 0;
}

}  // namespace portolan::ds
