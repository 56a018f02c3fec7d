// SPDX-License-Identifier: Apache-2.0
// Memory for system calls to stumble over. Every buffer ends where inaccessible memory begins, so that one
// byte read or written too many is an EFAULT; and it is preceded by bytes that nobody may change.
#pragma once
#include <cstddef>

#include "base/bytes.h"

namespace portolan::conformance {

enum class Place : unsigned char {
  kWritable,
  kReadOnly,
  kNull,
  kUnmapped,      // an address of the user half where nothing is
  kNonCanonical,  // no address at all
  kKernelHalf,
};
const char* place_name(Place place);

class Arena {
 public:
  static constexpr std::size_t kRegions = 8;
  static constexpr std::size_t kRegionSize = 1 << 17;
  static constexpr std::size_t kRedZone = 16;

  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Copies `bytes` into a region, with `slack` zero bytes between them and the inaccessible memory. The
  // address to hand to the call; for the bad places, `bytes` go nowhere.
  std::uint64_t put(std::size_t region, ConstBytes bytes, Place place, std::size_t slack = 0);
  // What stands there now: red zone, bytes, slack. Valid until the next put into that region.
  ConstBytes seen(std::size_t region, std::size_t size, std::size_t slack = 0) const;

 private:
  std::byte* end_of(std::size_t region) const {
    return writable_ + region * (kRegionSize + kPageSize) + kRegionSize;
  }
  std::byte* writable_ = nullptr;
  std::byte* read_only_ = nullptr;
};

}  // namespace portolan::conformance
