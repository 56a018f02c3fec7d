// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "abi/command.h"
#include "syscall/call.h"

namespace portolan::syscall {

// Statistics are on as long as the fd is open: it needs to be nothing but a file of its own.
Result<long> enable_stats(const Call& call) {
  if (call.attr.enable_stats.type != static_cast<std::uint32_t>(abi::StatsType::kRunTime))
    return fail(EINVAL);
  const long fd = TRY(sys::checked(sys::call(
      SYS_memfd_create, static_cast<long>(reinterpret_cast<std::intptr_t>("bpf-stats")), MFD_CLOEXEC)));
  return TRY(call.caller.install_fd(UniqueFd(static_cast<int>(fd))));
}

}  // namespace portolan::syscall
