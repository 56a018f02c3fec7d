// SPDX-License-Identifier: Apache-2.0
// Whether memory can be had, asked before it is taken: a full file system, a full cgroup or a file size limit
// is to be an ENOMEM of a call, never a SIGBUS, a SIGXFSZ or the OOM killer later.
#pragma once
#include <cstdint>

#include "base/result.h"

namespace portolan::shm {

// ENOMEM if `bytes` cannot be had on the file system of `fd` (statfs), in this process's cgroups and the
// machine's memory where the file system is one in memory (v1 and v2 limits, as far as they can be read), or
// under RLIMIT_FSIZE (for a file that will be `file_size` long).
Result<void> look_for_room(int fd, std::uint64_t bytes, std::uint64_t file_size);

// The part of it that is about memory: ENOMEM if the machine or a cgroup of this process has less than that.
Result<void> look_for_memory(std::uint64_t bytes);

// Looks, then allocates. ENOMEM when there is no room; on failure the file may have grown.
Result<void> reserve_room(int fd, std::uint64_t offset, std::uint64_t length, std::uint64_t file_size);

}  // namespace portolan::shm
