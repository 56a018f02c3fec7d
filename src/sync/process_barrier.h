// SPDX-License-Identifier: Apache-2.0
// A full memory barrier that one thread has all others pass, those of other processes too, so that who does
// something often need not pay for one each time. See process_barrier.cc.
#pragma once
#include "sync/atomic.h"

namespace portolan::sync {

namespace detail {
extern constinit Atomic<bool> passes_barriers;
}

// Whether this process passes the barriers of others. Where it does not, its threads need fences of their
// own.
inline bool passes_barriers_of_others() {
  return detail::passes_barriers.load_acquire();  // pairs with pass_barriers_of_others
}

// From now on it does, where the machine lets it. May take some 10 ms in a process of several threads, once.
void pass_barriers_of_others();

// Every thread, of every process that passes barriers, passes a full one between this call's begin and its
// end.
void make_all_pass_a_barrier();

}  // namespace portolan::sync
