// SPDX-License-Identifier: Apache-2.0
#include "syscall/call.h"

namespace portolan::syscall {

namespace {

// As the kernel's isalnum() has it, for which bytes are Latin-1.
bool is_alphanumeric(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
         (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7);
}

}  // namespace

Result<void> copy_name(char (&to)[abi::kObjNameLen], const char (&from)[abi::kObjNameLen]) {
  std::memset(to, 0, sizeof to);
  for (std::size_t i = 0; i < sizeof from; ++i) {
    const char letter = from[i];
    if (letter == '\0') return {};
    if (!is_alphanumeric(letter) && letter != '_' && letter != '.') return fail(EINVAL);
    to[i] = letter;
  }
  return fail(EINVAL);
}

Result<void> check_tail_is_zero(Caller& caller, std::uint64_t address, std::uint32_t known,
                                std::uint32_t size) {
  if (size > abi::kMaxAttrSize) return fail(E2BIG);
  // As much at once as may be; where that cannot be read, word by word, as the kernel does: what is not zero
  // before the end of what is readable counts first.
  std::byte chunk[256];
  std::uint32_t most = sizeof chunk;
  for (std::uint32_t at = known; at < size;) {
    const auto to_next_word = static_cast<std::uint32_t>(8 - (address + at) % 8);
    const std::uint32_t step = std::min(size - at, most == 8 ? to_next_word : most);
    if (const auto copied = caller.copy_in(chunk, address + at, step); !copied) {
      if (most == 8) return copied;
      most = 8;
      continue;
    }
    for (std::uint32_t i = 0; i < step; ++i)
      if (chunk[i] != std::byte{0}) return fail(E2BIG);
    at += step;
  }
  return {};
}

}  // namespace portolan::syscall
