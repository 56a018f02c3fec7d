// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "portolan/probe_hook.hpp"

namespace portolan {

// What a perf event of the host's has come upon, as programs of type perf_event see it: struct
// bpf_perf_event_data, and behind it what bpf_perf_prog_read_value() tells of the event.
struct PerfSample {
  Registers registers = {};   // of the thread, where it was
  std::uint64_t period = 1;   // for how many events this one stands
  std::uint64_t address = 0;  // that it is about, if it is about one
  std::uint64_t counter = 0;  // all that were counted
  std::uint64_t enabled_ns = 0, running_ns = 0;
};

}  // namespace portolan
