// SPDX-License-Identifier: Apache-2.0
// What the context of a perf_event program stands for.
#pragma once
#include "abi/context.h"
#include "map/perf_event.h"

namespace portolan::helper {

struct PerfSample {
  abi::PerfEventData seen;
  map::PerfEventValue value;  // of the event, for bpf_perf_prog_read_value()
};

}  // namespace portolan::helper
