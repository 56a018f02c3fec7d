// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace portolan {
// Writes "file:line: assertion failed: text" to standard error and aborts. Async-signal-safe.
[[noreturn]] void assertion_failed(const char* file, int line, const char* text) noexcept;
}  // namespace portolan

// What the programmer promised; checked in release builds too. Never for what comes from outside.
#define PORTOLAN_ASSERT(condition)                                  \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::portolan::assertion_failed(__FILE__, __LINE__, #condition); \
  } while (false)
