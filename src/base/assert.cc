// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <cstdlib>
#include <cstring>

#include "base/sys.h"

namespace portolan {
namespace {

void say(const char* text) {
  sys::call(SYS_write, 2, static_cast<long>(reinterpret_cast<std::intptr_t>(text)),
            static_cast<long>(std::strlen(text)));
}

}  // namespace

void assertion_failed(const char* file, int line, const char* text) noexcept {
  char digits[12];
  char* p = digits + sizeof digits;
  *--p = '\0';
  do *--p = static_cast<char>('0' + line % 10);
  while ((line /= 10) != 0);
  say(file);
  say(":");
  say(p);
  say(": assertion failed: ");
  say(text);
  say("\n");
  std::abort();
}

}  // namespace portolan
