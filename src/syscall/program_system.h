// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "helper/run.h"
#include "syscall/caller.h"

namespace portolan::syscall {

// bpf(2) as a program calls it: the fds are those of whoever runs the program, the memory is the program's.
class ProgramSystem final : public helper::SystemCalls {
 public:
  ProgramSystem(object::Runtime& runtime, Caller& caller) : runtime_(runtime), caller_(caller) {}
  long bpf(int command, void* attr, std::uint32_t size) override;
  long close(int fd) override;

 private:
  object::Runtime& runtime_;
  Caller& caller_;
};

}  // namespace portolan::syscall
