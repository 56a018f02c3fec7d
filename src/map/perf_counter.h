// SPDX-License-Identifier: Apache-2.0
// What perf events count by software, of that which a process can find out by itself.
#pragma once
#include <cstdint>
#include <optional>

namespace portolan::map {

enum class PerfCounter : std::uint32_t {
  kNothing,
  kTime,  // ns: of a thread, those that it ran
  kFaults,
  kMinorFaults,
  kMajorFaults,
  kSwitches,
};

// How much there has been so far, since some time that stays the same: of the thread of that id, in this or
// another process, or, `thread` -1, of a CPU, which only has time. Nothing: it has ended. Thread-safe.
std::optional<std::uint64_t> counted(PerfCounter counter, std::int32_t thread);

}  // namespace portolan::map
