// SPDX-License-Identifier: Apache-2.0
// How a bpf(2) command reaches the one who called it, as the kernel's bpfptr_t and fd table do.
#pragma once
#include <cstdint>

#include "base/fault_copy.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "map/user_memory.h"

namespace portolan::syscall {

class Caller : public map::UserMemory {
 public:
  // A string with its NUL: its length; `size` when it is longer. EFAULT.
  virtual Result<std::size_t> copy_in_string(char* to, std::uint64_t from, std::size_t size) = 0;
  // Gives the caller an fd; the number the caller sees.
  virtual Result<int> install_fd(UniqueFd fd) = 0;
};

// The caller is this process.
class LocalCaller final : public Caller {
 public:
  Result<void> copy_in(void* to, std::uint64_t from, std::size_t size) override {
    if (!portolan_fault_copy(to, reinterpret_cast<const void*>(from), size)) return fail(EFAULT);
    return {};
  }
  Result<void> copy_out(std::uint64_t to, const void* from, std::size_t size) override {
    if (portolan_fault_copy(reinterpret_cast<void*>(to), from, size)) [[likely]]
      return {};
    return copy_out_up_to_the_fault(to, from, size);
  }
  Result<std::size_t> copy_in_string(char* to, std::uint64_t from, std::size_t size) override {
    const long length = portolan_fault_copy_string(to, reinterpret_cast<const char*>(from), size);
    if (length < 0) return fail(EFAULT);
    return static_cast<std::size_t>(length);
  }
  Result<int> resolve_fd(int callers_fd) override { return callers_fd; }
  Result<int> install_fd(UniqueFd fd) override { return fd.release(); }

 private:
  // EFAULT; what lies before the first bad byte is written, as the kernel does.
  static Result<void> copy_out_up_to_the_fault(std::uint64_t to, const void* from, std::size_t size);
};

}  // namespace portolan::syscall
