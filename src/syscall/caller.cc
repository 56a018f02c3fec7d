// SPDX-License-Identifier: Apache-2.0
#include "syscall/caller.h"

namespace portolan::syscall {

Result<void> LocalCaller::copy_out_up_to_the_fault(std::uint64_t to, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(from);
  for (std::size_t i = 0; i < size; ++i)
    if (!portolan_fault_copy(reinterpret_cast<void*>(to + i), bytes + i, 1)) return fail(EFAULT);
  return {};  // somebody mapped it meanwhile
}

}  // namespace portolan::syscall
