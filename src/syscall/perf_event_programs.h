// SPDX-License-Identifier: Apache-2.0
// What ioctl(2) does with the programs of a perf event.
#pragma once
#include <vector>

#include "map/perf_event.h"

namespace portolan::syscall {

// PERF_EVENT_IOC_SET_BPF. EBADF, EINVAL: no program, or none for this event; EACCES, EEXIST, E2BIG, ENODEV.
// Call it inside a CallEpoch, as the next one.
Result<void> set_program_of_event(object::Runtime& runtime, map::PerfEvent& event, int program_fd);
// PERF_EVENT_IOC_QUERY_BPF: of a tracepoint, all that are attached to it, in their order. EINVAL: of another.
Result<std::vector<std::uint32_t>> programs_of_event(const map::PerfEvent& event);

}  // namespace portolan::syscall
