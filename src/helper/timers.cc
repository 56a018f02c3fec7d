// SPDX-License-Identifier: Apache-2.0
// bpf_timer and bpf_wq: see map/timers.h.
#include "map/timers.h"

#include <time.h>

#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kAbsolute = 1, kThisCpu = 2;  // BPF_F_TIMER_*

U64 result_of(const Result<void>& result) { return result ? 0 : negative(result.error().value); }

// The flags of bpf_timer_init: nothing but a clock. The kernel makes its timers as relative ones, and those
// of CLOCK_REALTIME are then of CLOCK_MONOTONIC, as POSIX wants it.
Result<ds::TimerClock> clock_of(U64 flags) {
  switch (flags) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
      return ds::TimerClock::kMonotonic;
    case CLOCK_BOOTTIME:
      return ds::TimerClock::kBoottime;
    default:
      return fail(EINVAL);
  }
}

// The flags of work are 32 bits wide, and there are none.
bool are_flags_of_work(U64 flags) { return static_cast<std::uint32_t>(flags) == 0; }

}  // namespace

U64 timer_init(Run& run, U64 timer, U64 map, U64 flags, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr) return negative(EOPNOTSUPP);
  const Result<ds::TimerClock> clock = clock_of(flags);
  if (!clock) return negative(clock.error().value);
  return result_of(timers->init(at<map::Map>(map), &at<std::byte>(timer), *clock));
}

// `owner` comes from the verifier (kOwnProgram).
U64 timer_set_callback(Run& run, U64 timer, U64 function, U64 owner, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  const auto callback = at<const map::FunctionOwner>(owner).name_of(function);
  if (timers == nullptr || !callback) return negative(EINVAL);
  return result_of(timers->set_callback(&at<std::byte>(timer), *callback));
}

U64 timer_start(Run& run, U64 timer, U64 ns, U64 flags, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr || (flags & ~(kAbsolute | kThisCpu)) != 0) return negative(EINVAL);
  const bool is_pinned = (flags & kThisCpu) != 0;
  return result_of(timers->start(
      &at<std::byte>(timer),
      {ns, (flags & kAbsolute) != 0, is_pinned ? std::optional<std::uint32_t>(run.cpu) : std::nullopt}));
}

U64 timer_cancel(Run& run, U64 timer, U64, U64, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr) return negative(EINVAL);
  const Result<bool> was_armed = timers->cancel(&at<std::byte>(timer), run.timer);
  return was_armed ? *was_armed : negative(was_armed.error().value);
}

U64 wq_init(Run& run, U64 work, U64 map, U64 flags, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr) return negative(EOPNOTSUPP);
  if (!are_flags_of_work(flags)) return negative(EINVAL);
  return result_of(timers->init(at<map::Map>(map), &at<std::byte>(work), ds::TimerClock::kAtOnce));
}

U64 wq_set_callback_impl(Run& run, U64 work, U64 function, U64 flags, U64 owner, U64) {
  if (!are_flags_of_work(flags)) return negative(EINVAL);
  return timer_set_callback(run, work, function, owner, 0, 0);
}

U64 wq_start(Run& run, U64 work, U64 flags, U64, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr || !are_flags_of_work(flags)) return negative(EINVAL);
  return result_of(timers->start(&at<std::byte>(work), {0, false, {}}));
}

}  // namespace portolan::helper::functions
