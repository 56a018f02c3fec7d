// SPDX-License-Identifier: Apache-2.0
#include "vm/timer_thread.h"

#include <signal.h>

#include "map/scratch.h"
#include "sync/call_epoch.h"
#include "sync/futex.h"
#include "sync/process_generation.h"
#include "vm/prepare.h"
#include "vm/runner.h"

namespace portolan::vm {
namespace {

constexpr std::uint64_t kMostSleep_ns = std::uint64_t{3600} * 1'000'000'000;
constexpr std::uint64_t kRetry_ns = 100'000'000;  // while this process cannot take part in the runtime

// Signals are the client's: none is handled by a thread that it knows nothing of, but for faults of its own.
// By the system call itself, as clients' masks are others' business (shim/signals.cc).
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigdelset(&all, SIGSEGV);
    ::sigdelset(&all, SIGBUS);
    (void)sys::call(SYS_rt_sigprocmask, SIG_SETMASK, std::bit_cast<long>(&all), std::bit_cast<long>(&before_),
                    kBytes);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() {
    (void)sys::call(SYS_rt_sigprocmask, SIG_SETMASK, std::bit_cast<long>(&before_), 0, kBytes);
  }

 private:
  static constexpr long kBytes = 8;
  sigset_t before_;
};

}  // namespace

Result<void> TimerThread::begin() {
  const std::uint64_t process = sync::process_generation();
  std::uint64_t seen = begun_.load_acquire();  // pairs with itself
  if (seen == process || !begun_.cas_acq_rel(seen, process)) return {};
  const SignalsBlocked blocked;
  if (::pthread_create(&thread_, nullptr, main, this) == 0) return {};
  begun_.store_release(0);  // pairs with begin
  return fail(ENOMEM);
}

TimerThread::~TimerThread() {
  if (begun_.load_acquire() != sync::process_generation()) return;  // pairs with begin
  is_over_.store_release(1);                                        // pairs with main
  if (ds::TimerTable* const table = this->table(); table != nullptr) table->wake();
  (void)::pthread_join(thread_, nullptr);
}

void* TimerThread::main(void* self) {
  auto& me = *static_cast<TimerThread*>(self);
  if (ds::TimerTable* const table = me.table(); table != nullptr) me.look_after(*table);
  return nullptr;
}

void TimerThread::look_after(ds::TimerTable& table) {
  for (;;) {
    const std::uint32_t seen = table.changes().load_acquire();  // before the look that it tells from the next
    if (is_over_.load_acquire() != 0) return;                   // pairs with ~TimerThread
    const auto actor = runtime().actor();
    const ds::TimerTable::Next next = actor ? table.next(*actor) : ds::TimerTable::Next{kRetry_ns, {}};
    if (next.wait_ns != 0)
      sync::sleep_while(table.changes(), seen, std::min(next.wait_ns, kMostSleep_ns));
    else
      carry_out(table, *actor, next.cpu);
  }
}

// The vCPU comes first: whoever cancels a timer waits for its callback, and may hold all vCPUs but this one.
void TimerThread::carry_out(ds::TimerTable& table, const sync::Actor& actor,
                            std::optional<std::uint32_t> cpu) {
  const sync::CallEpoch epoch;
  const bool is_there = cpu && *cpu < runtime().vcpus().count();
  Runner runner(runtime(), actor, nullptr, is_there ? cpu : std::nullopt);
  const auto due = table.take_due(actor, cpu.value_or(runner.cpu()));
  if (!due) return;
  call(*due, runner);
  table.finished(actor, due->name);
}

// Everything about a timer is outside data: the map says whether it is still there, and the program whether
// it has such a callback.
void TimerThread::call(const ds::TimerTable::Due& due, Runner& runner) {
  const auto found_map = runtime().view_by_id(object::Kind::kMap, due.place.object);
  const auto found_program = runtime().view_by_id(object::Kind::kProg, due.callback.program);
  if (!found_map || !found_program) return;
  auto& map = static_cast<map::Map&>(**found_map);
  map::Scratch room;
  const auto key = room.take(map.key_size());
  if (!key) return;
  std::byte* const value = value_of(map, due, *key);
  if (value == nullptr) return;
  const auto executable = executable_of(static_cast<verifier::Program&>(**found_program));
  if (!executable || !(*executable)->may_be_called_for(due.callback.function, map)) return;
  runner.call_back(**executable, due, map, *key, value);
}

}  // namespace portolan::vm
