// SPDX-License-Identifier: Apache-2.0
// The kernel's types of a runtime: what its clients find in /sys/kernel/btf/vmlinux and as the BTF of id 1,
// and what ids of types in its programs mean. See kernel_btf.cc for where they come from, and how all
// processes have the same.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "btf/btf.h"
#include "object/runtime.h"

namespace portolan::helper {

// Instead of a file: types of our own, whatever the machine has.
inline constexpr std::string_view kBuiltinTypes = "builtin";

// Parsed on first use in each process, and there for as long as the process. ENOENT: the runtime was opened
// by somebody who runs no programs; ENOMEM, EINVAL …: they cannot be written, or read.
Result<const btf::Btf*> kernel_btf(object::Runtime& runtime);

// Their id of a struct. ENOENT …
Result<std::uint32_t> kernel_struct(object::Runtime& runtime, const char* name);

// The file that holds them, to be read, and its bytes. The errors of kernel_btf().
Result<UniqueFd> open_kernel_btf(object::Runtime& runtime);
Result<std::vector<std::byte>> read_kernel_btf(object::Runtime& runtime);
inline constexpr char kKernelBtfFile[] = "kernel.btf";  // below the runtime's directory

// The types of `file`, or kBuiltinTypes, are the runtime's from now on. On failure *why is a sentence that
// names the file and the reason: errors of opening it; EINVAL: it is no BTF; EEXIST: the runtime has others
// already.
Result<void> give_kernel_btf(object::Runtime& runtime, const std::string& file, std::string* why);

// What a process keeps of them; for who opens a runtime (syscall::prepare).
std::unique_ptr<object::Extension> kernel_types_of(object::Runtime& runtime);

}  // namespace portolan::helper
