// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace portolan::loader {

// Where bpf(2) calls end, and who closes what they open.
class System {
 public:
  virtual ~System() = default;
  virtual long bpf(int command, void* attr, std::uint32_t size) = 0;  // errors as -errno
  virtual void close_fd(int fd) = 0;
  // The file in which libbpf finds the kernel's types; empty: where the machine has it.
  virtual std::string kernel_types_file() { return {}; }
};

}  // namespace portolan::loader
