// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "syscall/call.h"

namespace portolan::syscall {

// The log that a command writes for people: where the caller wants it.
struct LogBuffer {
  std::uint32_t level, size;
  std::uint64_t address;

  bool is_valid() const {
    constexpr std::uint32_t known_levels = 15;
    if ((address != 0) != (size != 0)) return false;
    if (address != 0 && level == 0) return false;
    return (level & ~known_levels) == 0 && size <= abi::kMaxLogSize;
  }
  // Its end, where it does not fit (unless the level says to keep the beginning), and a NUL; ENOSPC then,
  // EFAULT. *true_size is what it would have taken.
  Result<void> write(Caller& caller, std::string_view text, std::uint32_t* true_size) const {
    constexpr std::uint32_t keep_beginning = 8;  // BPF_LOG_FIXED
    *true_size = level == 0 ? 0 : static_cast<std::uint32_t>(text.size()) + 1;
    if (level == 0 || address == 0) return {};
    std::string_view shown = text;
    if (*true_size > size)
      shown =
          (level & keep_beginning) != 0 ? text.substr(0, size - 1) : text.substr(text.size() - (size - 1));
    TRY(caller.copy_out(address, shown.data(), shown.size()));
    const char end = '\0';
    TRY(caller.copy_out(address + shown.size(), &end, 1));
    if (*true_size > size) return fail(ENOSPC);
    return {};
  }
};

}  // namespace portolan::syscall
