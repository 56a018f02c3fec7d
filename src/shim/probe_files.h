// SPDX-License-Identifier: Apache-2.0
// What clients read before they attach to probes and tracepoints: the types of kprobes and uprobes,
// below /sys/bus/event_source/devices, the numbers of the tracepoints and the lists of the functions that
// hosts have declared: available_filter_functions of a tracefs, with and without addresses, and
// /proc/kallsyms.
#pragma once

namespace portolan::shim {

// An fd of what the file would say; kNotSpecial: it is none of ours.
int open_probe_file(const char* path);
// A path that shows who asks what there is that such a file may be read, where the machine may have none;
// `path` itself: it is none of ours.
const char* place_of_probe_file(const char* path);

}  // namespace portolan::shim
