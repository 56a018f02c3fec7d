// SPDX-License-Identifier: Apache-2.0
// Random sequences. A sequence depends on nothing but its seed and options: not on what any call returns, so
// that any part of it can be left out when it is shrunk.
#pragma once
#include <vector>

#include "operation.h"

namespace portolan::conformance {

struct SequenceOptions {
  std::vector<std::uint32_t> types;  // of the maps to make; none for sequences of BTF_LOAD
  std::uint64_t seed = 0;
  std::size_t operations = 10000;
  bool with_mappings = false;  // mmap of MMAPABLE arrays
};

std::vector<Operation> generate(const SequenceOptions& options);

}  // namespace portolan::conformance
