// SPDX-License-Identifier: Apache-2.0
// Sections in which a kernel's CPU is not to be taken away. A run keeps its vCPU until it ends, and memory of
// maps stays as long as a run: there is nothing to do.
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {

U64 rcu_read_lock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 rcu_read_unlock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 preempt_disable(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 preempt_enable(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 local_irq_save(Run&, U64 flags, U64, U64, U64, U64) {
  at<U64>(flags) = 0;
  return 0;
}
U64 local_irq_restore(Run&, U64, U64, U64, U64, U64) { return 0; }

}  // namespace portolan::helper::functions
