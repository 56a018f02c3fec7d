// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::map {

// A running program, as the functions below it see it: for_each, loops and timers call back into it.
class ProgramInvoker {
 public:
  // Runs one of the program's functions, as the program passed it to a helper, on the vCPU of the run.
  virtual std::uint64_t call_back(std::uint64_t function, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                  std::uint64_t d, std::uint64_t e) = 0;

 protected:
  ~ProgramInvoker() = default;
};

}  // namespace portolan::map
