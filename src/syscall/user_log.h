// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "btf/log.h"
#include "syscall/call.h"

namespace portolan::syscall {

// What there is to say goes to the caller's buffer even when the command fails, and how long it is to the
// field of attr at `true_size_offset`, if the caller's attr has it. EFAULT and ENOSPC win over the verdict.
inline Result<void> hand_over(const Call& call, const btf::Log& log, std::uint64_t buffer,
                              std::size_t true_size_offset) {
  Result<void> shown;
  if (buffer != 0) {
    const std::string image = log.image();
    shown = call.caller.copy_out(buffer, image.data(), image.size());
  }
  if (call.size >= true_size_offset + sizeof(std::uint32_t)) TRY(call.put(true_size_offset, log.true_size()));
  TRY(shown);  // the length is told although the text had nowhere to go
  if (log.truncated()) return fail(ENOSPC);
  return {};
}

}  // namespace portolan::syscall
