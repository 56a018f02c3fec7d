// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/bytes.h"
#include "base/result.h"

namespace portolan::map {

// Room for one staged key or value: on the stack when it is small, else on the heap. 8-aligned, not cleared,
// and a whole number of 8-byte words long, as the structures below want values.
class Scratch {
 public:
  static constexpr std::size_t kOnStack = 512;

  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // ENOMEM. At most once per object.
  Result<std::byte*> take(std::uint64_t size) {
    if (size <= kOnStack) [[likely]]
      return reinterpret_cast<std::byte*>(small_);
    large_.reset(new (std::nothrow) std::uint64_t[round_up(size, 8) / 8]);
    if (!large_) return fail(ENOMEM);
    return reinterpret_cast<std::byte*>(large_.get());
  }

 private:
  std::uint64_t small_[kOnStack / 8];
  std::unique_ptr<std::uint64_t[]> large_;
};

}  // namespace portolan::map
