// SPDX-License-Identifier: Apache-2.0
// /sys/kernel/btf/vmlinux: the runtime's kernel types, whatever lies there on this machine.
#pragma once

namespace portolan::shim {

// Where a call that looks at a file finds it: the runtime's, for that path; else `path`.
const char* shown_at(const char* path);
// An fd, -errno, or kNotSpecial: it is another path.
int open_kernel_types(const char* path, int flags);

}  // namespace portolan::shim
