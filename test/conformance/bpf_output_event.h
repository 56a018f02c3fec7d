// SPDX-License-Identifier: Apache-2.0
// The event that programs write to, as libbpf asks for it.
#pragma once
#include <linux/perf_event.h>

namespace portolan::conformance {

inline perf_event_attr bpf_output_event() {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_BPF_OUTPUT;
  attr.sample_type = PERF_SAMPLE_RAW;
  attr.sample_period = attr.wakeup_events = 1;
  return attr;
}

}  // namespace portolan::conformance
