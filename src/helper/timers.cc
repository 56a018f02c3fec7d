// SPDX-License-Identifier: Apache-2.0
// bpf_timer: see map/timers.h.
#include "map/timers.h"

#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kAbsolute = 1, kThisCpu = 2;  // BPF_F_TIMER_*

U64 result_of(const Result<void>& result) { return result ? 0 : negative(result.error().value); }

}  // namespace

U64 timer_init(Run& run, U64 timer, U64 map, U64 flags, U64, U64) {
  map::Timers* const timers = map::Timers::of(run.runtime);
  if (timers == nullptr) return negative(EOPNOTSUPP);
  return result_of(timers->init(at<map::Map>(map), &at<std::byte>(timer), flags));
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

}  // namespace portolan::helper::functions
