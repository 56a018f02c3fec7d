// SPDX-License-Identifier: Apache-2.0
// Barriers in other processes.
//
// Source        membarrier(2), global expedited: an interrupt to each CPU that runs a thread of a registered
//               process. A thread that runs nowhere has passed one when it was switched out.
//
// Invariants    I1 passes_barriers is set only after the kernel has registered the process, for all of its
//               threads; it is never unset. Children of fork are registered as their parents are; exec begins
//               anew, with the word unset.
//
// Where it is   A process that cannot register goes on using fences. One that has others pass barriers but
// forbidden     may not ask the kernel to (a filter of system calls) sleeps instead, over more than a tick of
//               the slowest clock there is (100 Hz): each CPU has then taken an interrupt, or stood still.
//
// Crash table   nothing here is shared; it goes with the process.
#include "sync/process_barrier.h"

#include <linux/membarrier.h>

#include "base/sys.h"

namespace portolan::sync {
namespace {

constexpr std::uint64_t kTwoTicksNs = 20'000'000;

bool membarrier(int command) { return sys::call(SYS_membarrier, command, 0) == 0; }

}  // namespace

constinit Atomic<bool> detail::passes_barriers;

void pass_barriers_of_others() {
  if (!passes_barriers_of_others() && membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
    detail::passes_barriers.store_release(true);  // pairs with passes_barriers_of_others
}

void make_all_pass_a_barrier() {
  if (membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) || membarrier(MEMBARRIER_CMD_GLOBAL)) return;
  sys::sleep_ns(kTwoTicksNs);
}

}  // namespace portolan::sync
