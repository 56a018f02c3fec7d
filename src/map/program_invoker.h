// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "ds/timer_table.h"

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

// A program as this process runs it. Whoever keeps one of its functions for later keeps it by a name that
// says the same in all processes.
class FunctionOwner {
 public:
  // `function` as the program passed it to a helper. Nothing: the program is no object of the runtime.
  virtual std::optional<ds::TimerCallback> name_of(std::uint64_t function) const = 0;

 protected:
  ~FunctionOwner() = default;
};

}  // namespace portolan::map
