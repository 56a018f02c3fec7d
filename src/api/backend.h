// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "loader/system.h"
#include "object/runtime.h"

namespace portolan::detail {

// Where bpf(2) calls end.
class Backend : public loader::System {
 public:
  virtual std::string directory() const = 0;  // empty for the kernel
  virtual std::uint32_t possible_cpus() const = 0;
  // The runtime, when maps are files of this process.
  virtual object::Runtime* runtime() { return nullptr; }
};

// `directory` empty: a private one; `kernel_btf` empty: $PORTOLAN_BTF, if it is set. On failure *why is a
// sentence.
Result<std::shared_ptr<Backend>> open_portolan_backend(const std::string& directory, std::string* why,
                                                       const std::string& kernel_btf = {});
std::shared_ptr<Backend> kernel_backend();

}  // namespace portolan::detail
