// SPDX-License-Identifier: Apache-2.0
// bpf(2) from inside: programs of type syscall.
#include "abi/command.h"
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

bool may_be_called(std::uint32_t command) {
  switch (static_cast<abi::Command>(command)) {
    case abi::Command::kMapCreate:
    case abi::Command::kMapDeleteElem:
    case abi::Command::kMapUpdateElem:
    case abi::Command::kMapFreeze:
    case abi::Command::kMapGetFdById:
    case abi::Command::kProgLoad:
    case abi::Command::kBtfLoad:
    case abi::Command::kLinkCreate:
    case abi::Command::kRawTracepointOpen:
      return true;
    default:
      return false;
  }
}

// A name as these two want it: not empty, and NUL at its very end.
bool is_name(U64 address, std::uint32_t size) {
  char last;
  return size > 1 && portolan_fault_copy(&last, pointer(address + size - 1), 1) && last == 0;
}

}  // namespace

U64 sys_bpf(Run& run, U64 command, U64 attr, U64 size, U64, U64) {
  if (!may_be_called(static_cast<std::uint32_t>(command)) || run.system == nullptr) return negative(EINVAL);
  return static_cast<U64>(
      run.system->bpf(static_cast<int>(command), pointer(attr), static_cast<std::uint32_t>(size)));
}

U64 sys_close(Run& run, U64 fd, U64, U64, U64, U64) {
  if (run.system == nullptr) return negative(EBADF);
  return static_cast<U64>(run.system->close(static_cast<int>(fd)));
}

U64 btf_find_by_name_kind(Run&, U64 name, U64 size, U64, U64 flags, U64) {
  if (flags != 0 || !is_name(name, static_cast<std::uint32_t>(size))) return negative(EINVAL);
  return negative(ENOENT);
}

U64 kallsyms_lookup_name(Run&, U64 name, U64 size, U64 flags, U64 to, U64) {
  clear(to, sizeof(U64));
  if (flags != 0 || !is_name(name, static_cast<std::uint32_t>(size))) return negative(EINVAL);
  return negative(ENOENT);
}

}  // namespace portolan::helper::functions
