// SPDX-License-Identifier: Apache-2.0
// From proc(5) and getrusage(2): what a thread has counted is the kernel's to say.
#include "map/perf_counter.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <charconv>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace portolan::map {
namespace {

struct Counts {
  std::uint64_t minor_faults, major_faults, switches;

  std::uint64_t of(PerfCounter counter) const {
    switch (counter) {
      case PerfCounter::kFaults:
        return minor_faults + major_faults;
      case PerfCounter::kMinorFaults:
        return minor_faults;
      case PerfCounter::kMajorFaults:
        return major_faults;
      case PerfCounter::kSwitches:
        return switches;
      case PerfCounter::kNothing:
      case PerfCounter::kTime:
        break;
    }
    return 0;
  }
};

// "": the thread has ended.
std::string file_of(std::int32_t thread, const char* name) {
  const std::string path = fmt::format("/proc/{0}/task/{0}/{1}", thread, name);
  const auto fd = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (!fd) return {};
  const UniqueFd file(*fd);
  std::string text(4096, '\0');
  text.resize(sys::pread(*fd, text.data(), text.size(), 0).value_or(0));
  return text;
}

std::uint64_t number_in(std::string_view text) {
  const std::size_t first = text.find_first_of("0123456789");
  std::uint64_t number = 0;
  if (first != text.npos) (void)std::from_chars(text.data() + first, text.data() + text.size(), number);
  return number;
}
std::uint64_t number_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  return at != text.npos ? number_in(text.substr(at + label.size())) : 0;
}
// The first is 0. Separated by single spaces.
std::uint64_t number_at(std::string_view text, unsigned field) {
  for (; field != 0; --field) text.remove_prefix(std::min(text.find(' '), text.size() - 1) + 1);
  return number_in(text);
}

std::optional<std::uint64_t> time_of(std::int32_t thread) {
  constexpr std::uint32_t kOfThread = 6;  // CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED
  const auto clock = static_cast<clockid_t>(~static_cast<std::uint32_t>(thread) << 3 | kOfThread);
  timespec time;  // only of threads of this process
  if (::clock_gettime(clock, &time) == 0)
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
  const std::string statistics = file_of(thread, "schedstat");
  return !statistics.empty() ? std::optional(number_at(statistics, 0)) : std::nullopt;
}

std::optional<Counts> counts_of(std::int32_t thread) {
  if (thread == sys::gettid()) {
    rusage usage{};
    (void)::getrusage(RUSAGE_THREAD, &usage);
    const auto number = [](long count) { return static_cast<std::uint64_t>(count); };
    return Counts{number(usage.ru_minflt), number(usage.ru_majflt),
                  number(usage.ru_nvcsw) + number(usage.ru_nivcsw)};
  }
  const std::string stat = file_of(thread, "stat"), status = file_of(thread, "status");
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == stat.npos || status.empty()) return {};
  const std::string_view fields = std::string_view(stat).substr(name_end + 2);
  return Counts{number_at(fields, 7), number_at(fields, 9),
                number_after(status, "\nvoluntary_ctxt_switches:") +
                    number_after(status, "\nnonvoluntary_ctxt_switches:")};
}

}  // namespace

std::optional<std::uint64_t> counted(PerfCounter counter, std::int32_t thread) {
  if (counter == PerfCounter::kNothing) return 0;
  if (counter == PerfCounter::kTime) return thread < 0 ? monotonic_ns() : time_of(thread);
  const std::optional<Counts> counts = counts_of(thread);
  return counts ? std::optional(counts->of(counter)) : std::nullopt;
}

}  // namespace portolan::map
