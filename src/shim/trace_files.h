// SPDX-License-Identifier: Apache-2.0
// The parts of a tracefs that are the runtime's: what bpf_printk wrote, below /sys/kernel/tracing.
#pragma once

namespace portolan::shim {

// What of a path comes after a place where the kernel has a tracefs mounted; nullptr: it is elsewhere.
const char* below_trace_directory(const char* path);
// The root of a tracefs, where the kernel has it mounted.
bool is_trace_directory(const char* path);
// An fd to read messages from, as they come; -errno; kNotSpecial: `path` is not trace_pipe.
int open_trace_pipe(const char* path, int flags);

}  // namespace portolan::shim
