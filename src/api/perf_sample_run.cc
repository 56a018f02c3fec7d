// SPDX-License-Identifier: Apache-2.0
// Runs of a perf_event program on samples of the host's, which lie as programs see them.
#include "api/program_run.h"
#include "helper/perf_sample.h"
#include "portolan/perf_sample.hpp"

namespace portolan {

static_assert(sizeof(PerfSample) == sizeof(helper::PerfSample) &&
              offsetof(PerfSample, period) == offsetof(abi::PerfEventData, sample_period) &&
              offsetof(PerfSample, address) == offsetof(abi::PerfEventData, addr) &&
              offsetof(PerfSample, counter) == offsetof(helper::PerfSample, value));

Expected<void> Program::run(std::span<const PerfSample> samples, std::span<std::uint32_t> results) const {
  const auto one = [&](std::size_t i, auto& run) -> Result<void> {
    results[i] = run(const_cast<PerfSample*>(&samples[i]));  // no program may write its context
    return {};
  };
  const bool is_one = type_ == static_cast<std::uint32_t>(abi::ProgType::kPerfEvent);
  return detail::run_each(runtime_, fd_, is_one, samples.size(), results, one);
}

}  // namespace portolan
