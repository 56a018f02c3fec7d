// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "base/fault_copy.h"
#include "cli/command.h"
#include "object/runtime.h"
#include "syscall/dispatch.h"

namespace portolan::cli {

int fsck(Arguments arguments) {
  if (arguments.size() != 1 || arguments[0][0] == '-') {
    const bool asked = arguments.size() == 1 &&
                       (std::string_view(arguments[0]) == "--help" || std::string_view(arguments[0]) == "-h");
    fmt::print(asked ? stdout : stderr, "usage: {}\n", kFsckUsage);
    return asked ? 0 : 2;
  }
  std::string why;
  install_fault_handler();
  auto runtime = object::Runtime::open(arguments[0], {.create = false}, &why);
  if (!runtime) {
    fmt::print(stderr, "portolan fsck: {}\n", why);
    return 2;
  }
  syscall::prepare(**runtime);
  shm::Findings findings;
  (*runtime)->check(findings);
  for (const shm::Finding& finding : findings.list())
    fmt::print("{}: {}: {}\n", finding.severity == shm::Severity::kCorrupt ? "corrupt" : "note",
               finding.where, finding.what);
  fmt::print("{}: {}\n", arguments[0], findings.clean() ? "clean" : "corrupt");
  return findings.clean() ? 0 : 1;
}

}  // namespace portolan::cli
