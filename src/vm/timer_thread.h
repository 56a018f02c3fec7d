// SPDX-License-Identifier: Apache-2.0
// Carries out timers that are due: one thread of a process, from its first timer on.
#pragma once
#include <pthread.h>

#include "map/timers.h"

namespace portolan::vm {

class TimerThread final : public map::Timers {
 public:
  using Timers::Timers;
  ~TimerThread() override;

 protected:
  Result<void> begin() override;

 private:
  static void* main(void* self);
  void look_after(ds::TimerTable& table);
  void carry_out(ds::TimerTable& table, const sync::Actor& actor, std::optional<std::uint32_t> cpu);
  void call(const ds::TimerTable::Due& due, class Runner& runner);

  // Of which process the thread is: a child of fork() has none.
  sync::Atomic<std::uint64_t> begun_;
  sync::Atomic<std::uint32_t> is_over_;
  pthread_t thread_{};
};

}  // namespace portolan::vm
