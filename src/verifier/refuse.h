// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.h"
#include "btf/log.h"

namespace portolan::verifier {

// Says why, on a line of its own, and is the error.
template <class... Args>
std::unexpected<Errno> refuse(btf::Log* log, int error, fmt::format_string<Args...> format, Args&&... args) {
  if (log != nullptr) log->print("{}\n", fmt::format(format, std::forward<Args>(args)...));
  return fail(error);
}

}  // namespace portolan::verifier
