// SPDX-License-Identifier: Apache-2.0
// perf_event_open(2) of events that BPF programs write to, of counters of software that they read, and of the
// probes and tracepoints of host programs. All others are the kernel's.
#pragma once
#include <cstddef>

#include "map/perf_event.h"

namespace portolan::shim {

// Numbers of perf events that the kernel gives to none of its own: the types of kprobes and uprobes, and
// tracepoints, each of which has the number of its hook above the first.
inline constexpr std::uint32_t kKprobeType = 1u << 20, kUprobeType = kKprobeType + 1;
inline constexpr std::uint64_t kFirstTracepoint = 1u << 20;

// -ENOSYS: no event of ours; the kernel is to be asked.
long open_perf_event(long attr, long pid, long cpu, long group, long flags);
// The event that the fd stands for, while the caller is inside a CallEpoch; nullptr: none of ours.
map::PerfEvent* perf_event_behind(int fd);
// ioctl(2) and read(2) of one.
long control_perf_event(map::PerfEvent& event, unsigned long request, long argument);
long read_perf_event(const map::PerfEvent& event, void* to, std::size_t size);

}  // namespace portolan::shim
