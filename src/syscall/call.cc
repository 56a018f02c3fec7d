// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

Result<void> copy_name(char (&to)[abi::kObjNameLen], const char (&from)[abi::kObjNameLen]) {
  std::memset(to, 0, sizeof to);
  for (std::size_t i = 0; i < sizeof from; ++i) {
    const char letter = from[i];
    if (letter == '\0') return {};
    const bool allowed = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                         (letter >= '0' && letter <= '9') || letter == '_' || letter == '.';
    if (!allowed) return fail(EINVAL);
    to[i] = letter;
  }
  return fail(EINVAL);
}

Result<void> check_tail_is_zero(Caller& caller, std::uint64_t address, std::uint32_t known,
                                std::uint32_t size) {
  if (size > abi::kMaxAttrSize) return fail(E2BIG);
  std::byte chunk[256];
  for (std::uint32_t at = known; at < size;) {
    const std::uint32_t step = std::min<std::uint32_t>(size - at, sizeof chunk);
    TRY(caller.copy_in(chunk, address + at, step));
    for (std::uint32_t i = 0; i < step; ++i)
      if (chunk[i] != std::byte{0}) return fail(E2BIG);
    at += step;
  }
  return {};
}

}  // namespace portolan::syscall
