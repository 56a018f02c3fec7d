// SPDX-License-Identifier: Apache-2.0
// The types of the kernel that this machine runs, as libbpf reads them: /sys/kernel/btf/vmlinux, which
// anybody may read.
#pragma once
#include <vector>

#include "btf/btf.h"

namespace portolan::map {

// Whether there is such a file.
bool has_kernel_btf();
// Its bytes. ENOENT …; E2BIG.
Result<std::vector<std::byte>> read_kernel_btf();
// Checked like any other BTF, on first use in each process; it stays for as long as the process. What reading
// and btf::Btf::parse say.
Result<const btf::Btf*> kernel_btf();

}  // namespace portolan::map
