// SPDX-License-Identifier: Apache-2.0
// Call epochs: a quiescent-state scheme for the mappings of this process (after userspace RCU's membarrier
// flavour).
//
// Layout       per thread a ThreadEpoch, in a list that only grows; entries of ended threads are used again.
// Invariants   a thread inside a call shows the epoch that it entered at, 0 outside; begin_epoch() counts up.
// Ordering     entering is a plain store: quiesced() makes all threads pass a full barrier by membarrier(2)
// before it
//              looks, so that a thread that it sees outside will see whatever was unlinked before.
// Linearization a mapping may go when every thread shows 0 or an epoch not older than the one begun after
// unlinking.
#include "sync/call_epoch.h"

#include <linux/membarrier.h>
#include <pthread.h>

#include "base/sys.h"

namespace portolan::sync {
namespace {

struct Node {
  ThreadEpoch epoch;
  Atomic<std::uint32_t> used;
  Node* next = nullptr;
};
Atomic<Node*> nodes;
Atomic<void (*)()> put_off_hook;

// Gives the thread's entry back when the thread ends.
struct Lease {
  Node* node = nullptr;
  ~Lease() {
    if (node == nullptr) return;
    this_thread_epoch = nullptr;
    node->epoch.entered.store_release(0);  // pairs with quiesced()
    node->used.store_release(0);           // pairs with register_thread_epoch
  }
};
thread_local Lease lease;

// In the child only the forking thread lives on.
void after_fork_in_child() {
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {
    if (&node->epoch == this_thread_epoch) continue;
    node->epoch.entered.store_relaxed(0);
    node->epoch.depth = 0;
    node->used.store_relaxed(0);
  }
}

bool register_membarrier() {
  ::pthread_atfork(nullptr, nullptr, after_fork_in_child);
  return sys::call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

void barrier_for_all_threads() {
  static const bool expedited = register_membarrier();
  if (!expedited || sys::call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0)
    sys::call(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
}

}  // namespace

thread_local constinit ThreadEpoch* this_thread_epoch = nullptr;
Atomic<std::uint64_t> global_epoch{1};

ThreadEpoch* register_thread_epoch() {
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {
    std::uint32_t unused = 0;
    if (node->used.cas_acq_rel(unused, 1)) {  // pairs with ~Lease
      lease.node = node;
      node->epoch.depth = 0;
      return this_thread_epoch = &node->epoch;
    }
  }
  Node* node = new Node;
  node->used.store_relaxed(1);
  Node* head = nodes.load_acquire();
  do node->next = head;
  while (!nodes.cas_acq_rel(head, node));  // pairs with the loads of nodes
  lease.node = node;
  return this_thread_epoch = &node->epoch;
}

void set_put_off_signal_hook(void (*hook)()) {
  put_off_hook.store_release(hook);
}  // pairs with run_put_off_signals
void run_put_off_signals() {
  this_thread_epoch->signals_put_off.store_relaxed(0);
  if (auto hook = put_off_hook.load_acquire()) hook();  // pairs with set_put_off_signal_hook
}

std::uint64_t begin_epoch() { return global_epoch.fetch_add_acq_rel(1) + 1; }

bool quiesced(std::uint64_t epoch) {
  barrier_for_all_threads();
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {
    const std::uint64_t entered = node->epoch.entered.load_acquire();  // pairs with ~CallEpoch
    if (entered != 0 && entered < epoch) return false;
  }
  return true;
}

}  // namespace portolan::sync
