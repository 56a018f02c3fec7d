// SPDX-License-Identifier: Apache-2.0
// Does an operation on one backend and says all that its caller can see of it, freed of what may differ: fd
// numbers, ids, and the order in which a hash shows its elements.
#pragma once
#include <string>
#include <vector>

#include "operation.h"
#include "world.h"

namespace portolan::conformance {

struct Observation {
  struct Part {
    std::string name;
    std::vector<std::byte> bytes;
    bool operator==(const Part&) const = default;
  };
  long result = 0;  // 0 for an fd
  std::vector<Part> parts;
  bool operator==(const Observation&) const = default;
};

Observation execute(World& world, const Operation& operation);

// What differs, in words; empty when nothing does.
std::string difference(const Observation& kernel, const Observation& portolan);
std::string result_text(long result);

}  // namespace portolan::conformance
