// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "object/runtime.h"
#include "syscall/caller.h"

namespace portolan::syscall {

// Teaches a freshly opened runtime how views of maps, BTF and programs are made. Once per runtime.
void prepare(object::Runtime& runtime);

// bpf(2): `command` and the caller's attr of `size` bytes. The value to return, errors as -errno. Signal-safe
// against itself only through the shim's put-off handlers.
long bpf(object::Runtime& runtime, Caller& caller, int command, std::uint64_t attr, std::uint32_t size);
// The same, faster.
long bpf(object::Runtime& runtime, LocalCaller& caller, int command, std::uint64_t attr, std::uint32_t size);

}  // namespace portolan::syscall
