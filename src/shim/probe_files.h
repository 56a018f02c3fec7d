// SPDX-License-Identifier: Apache-2.0
// What clients read before they open a perf event: the type of kprobes, below
// /sys/bus/event_source/devices/kprobe, and the numbers of the tracepoints that hosts have declared.
#pragma once

namespace portolan::shim {

// An fd of what the file would say; kNotSpecial: it is none of ours.
int open_probe_file(const char* path);

}  // namespace portolan::shim
