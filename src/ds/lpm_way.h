// SPDX-License-Identifier: Apache-2.0
// What a writer of an LPM trie knows of a key.
#pragma once
#include "ds/lpm_walk.h"

namespace portolan::ds {

// Where a word is, and where the table repeats it, if it does.
struct LpmTrie::Step {
  Place* place;
  Place* slot;
};

// The way from the root to where a key is, or would be.
struct LpmTrie::Way {
  struct Passed {
    Step step;  // where the node is
    Node* node;
    std::uint32_t position;
  };
  Passed passed[kMostDepth];
  unsigned depth = 0;
  bool has_gaps = false;  // bits were passed that no node looked at
  LpmSpot spot;           // in the last node passed
  Step end;               // what is there; no place: the node has no such spot
  std::uint32_t word;     // held there; 0: nothing
};

// What is to be put; `before` is the answer where it is not there yet.
struct LpmTrie::Put {
  const std::byte* key;
  const void* value;
  Insert mode;
  std::uint32_t before = 0;
};

}  // namespace portolan::ds
