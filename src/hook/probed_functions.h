// SPDX-License-Identifier: Apache-2.0
// The functions that hosts have declared probes of: what a kernel says can be traced.
#pragma once
#include <string>
#include <vector>

#include "hook/hook.h"

namespace portolan::hook {

struct ProbedFunction {
  std::string name;
  std::uint64_t address = 0;
  std::uint32_t begins = 0, ends = 0;  // the hooks of both ends
};

// By name.
std::vector<ProbedFunction> probed_functions(object::Runtime& runtime);
// Where the function of a probe is, by the key of either end. 0: its host has gone.
std::uint64_t address_of(object::Runtime& runtime, const Key& probe);

}  // namespace portolan::hook
