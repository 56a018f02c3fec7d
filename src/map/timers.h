// SPDX-License-Identifier: Apache-2.0
// Timers and work in values of maps (bpf_timer, bpf_wq): the kernel's rules on top of a table that the
// runtime's processes share.
#pragma once
#include "ds/timer_table.h"
#include "map/map.h"

namespace portolan::map {

// What this process has of the timers of a runtime. Thread-safe. The 16 bytes of a bpf_timer hold the timer's
// name, which stands for nothing once it was freed; `timer` is where they lie. Those of a bpf_wq are the
// same, and all that is said of timers goes for work too.
class Timers : public object::Extension {
 public:
  explicit Timers(object::Runtime& runtime) : runtime_(runtime) {}
  ~Timers() override;
  // nullptr: the runtime was opened by somebody who runs no programs.
  static Timers* of(const object::Runtime& runtime) {
    return static_cast<Timers*>(runtime.extension(object::Extended::kTimers));
  }

  // EBUSY, EINVAL (not where the map has one of that clock), ENOMEM, EPERM (no user holds the map), EFAULT
  // (its pages are gone).
  Result<void> init(Map& map, std::byte* timer, ds::TimerClock clock);
  // `function`: of the program of that id. EINVAL: no timer; EPERM, ENOMEM, EFAULT.
  Result<void> set_callback(const std::byte* timer, ds::TimerCallback callback);
  // EINVAL: no timer, or without a callback; EFAULT.
  Result<void> start(const std::byte* timer, const ds::TimerTable::Start& start);
  // Whether it was armed. `own`: of which the caller is the callback, 0: of none. EINVAL, EDEADLK, EFAULT.
  Result<bool> cancel(const std::byte* timer, ds::TimerName own);
  static void free(const object::Runtime& runtime, const std::byte* timer);
  // All of the map are freed.
  void release(Map& map);

  void check(shm::Findings& findings) override;

  // --- for who carries them out
  ds::TimerTable* table();  // nullptr: there is none yet
  // The value that holds the timer, and its key (8-aligned); nullptr: it has another one by now, or is gone.
  std::byte* value_of(const Map& map, const ds::TimerTable::Due& due, std::byte* key) const;
  // The map has timers: where some are armed, this process is one of those who carry them out.
  void note(const Map& map);

 protected:
  // Somebody must look after the table from now on. ENOMEM.
  virtual Result<void> begin() = 0;
  object::Runtime& runtime() const { return runtime_; }

 private:
  struct File;
  Result<ds::TimerTable*> open(bool create);
  void drop(const ds::TimerEdge& edge);
  void free(ds::TimerName name);
  void sweep(ds::TimerTable& table, const sync::Actor& actor);

  object::Runtime& runtime_;
  sync::Atomic<File*> file_;
};

}  // namespace portolan::map
