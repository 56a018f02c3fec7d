// SPDX-License-Identifier: Apache-2.0
// The caller's memory, as far as operations of maps reach into it by themselves (batches).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace portolan::map {

class UserMemory {
 public:
  virtual ~UserMemory() = default;
  // EFAULT. `from` and `to` are addresses in the caller's memory.
  virtual Result<void> copy_in(void* to, std::uint64_t from, std::size_t size) = 0;
  virtual Result<void> copy_out(std::uint64_t to, const void* from, std::size_t size) = 0;
};

}  // namespace portolan::map
