// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>

namespace portolan {

// A Linux error number (positive, as in <errno.h>). Becomes -errno only at the edges: the C entry and
// syscall().
struct Errno {
  int value;
  friend constexpr bool operator==(Errno, Errno) = default;
};

// Not in <errno.h>: the kernel's own "operation not supported" (bpf(2) lets it out for several map
// operations).
inline constexpr int kEnotsupp = 524;

}  // namespace portolan
