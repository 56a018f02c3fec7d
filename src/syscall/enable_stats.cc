// SPDX-License-Identifier: Apache-2.0
#include "abi/command.h"
#include "syscall/call.h"

namespace portolan::syscall {

Result<long> enable_stats(const Call& call) {
  if (call.attr.enable_stats.type != static_cast<std::uint32_t>(abi::StatsType::kRunTime))
    return fail(EINVAL);
  UniqueFd fd = TRY(call.runtime.switch_statistics_on());
  return TRY(call.caller.install_fd(std::move(fd)));
}

}  // namespace portolan::syscall
