// SPDX-License-Identifier: Apache-2.0
// Call epochs: when may this process unmap what its threads might be looking at?
//
// Source        userspace RCU, its membarrier flavour: readers pay plain stores, whoever frees pays for the
// fences.
//
// Layout        per thread a ThreadEpoch { entered; depth; signals_put_off; } on a line of its own, in a list
// that only
//               grows; entries of ended threads are used again. global_epoch counts up from 1.
//
// Invariants    I1 a thread inside a call shows in `entered` an epoch that had begun when it entered, outside
// it shows 0;
//               I2 whoever frees: makes unreachable, then e = begin_epoch(), then waits for quiesced(e), then
//               frees.
//
// Why it holds  Let a thread find the thing, by a load after its store of `entered`. quiesced(e) makes each
// thread pass a
//               full barrier by membarrier(2), then looks. If the barrier falls after the thread's store, the
//               store is seen: 0 only if the thread has left again, an epoch >= e only if it entered after
//               begin_epoch, whose release its acquire saw, and with it the unlinking. If the barrier falls
//               before the store, then the thread's later loads see the unlinking: it finds nothing.
//
// Linearization entering: the store of the epoch. Leaving: the store of 0.
//
// Progress      entering and leaving: wait-free, no locked instruction. quiesced: one system call and one
// load per
//               thread; it does not wait, the caller comes back later.
//
// Signals       A handler may enter anywhere. Only the outermost CallEpoch, the one that found 0, stores; a
// handler
//               between that finding and the store leaves 0 behind, as it found it, and the store comes
//               after. `depth` rises first and falls last, so that inside() covers all of it.
//
// fork          Only the forking thread lives on in the child; the entries of the others are set free there.
// (A raw
//               clone(2) does not tell: then such an entry may stay "inside", and the child unmaps nothing.)
//
// Crash table   nothing here is shared; it goes with the process.
#include "sync/call_epoch.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

struct alignas(64) Node {
  ThreadEpoch epoch;
  Atomic<std::uint32_t> used;
  Node* next = nullptr;
};
constexpr unsigned kNodesPerPage = kPageSize / sizeof(Node);

constinit Atomic<Node*> nodes;
constinit Atomic<void (*)()> put_off_hook;

void give_back(void* node_of_ended_thread) {
  auto* node = static_cast<Node*>(node_of_ended_thread);
  this_thread_epoch = nullptr;
  node->epoch.entered.store_release(0);  // pairs with quiesced
  node->used.store_release(0);           // pairs with take_unused
}

void keep_only_this_thread() {
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {  // pairs with grow
    if (&node->epoch == this_thread_epoch) continue;
    node->epoch.entered.store_relaxed(0);
    node->used.store_relaxed(0);
  }
}

// A thread-specific key rather than a thread_local destructor: it comes later, and again if a destructor of
// the client makes another call.
pthread_key_t end_of_thread_key() {
  static const pthread_key_t key = [] {
    pthread_key_t fresh;
    PORTOLAN_ASSERT(::pthread_key_create(&fresh, give_back) == 0);
    ::pthread_atfork(nullptr, nullptr, keep_only_this_thread);
    return fresh;
  }();
  return key;
}

Node* take_unused() {
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {  // pairs with grow
    std::uint32_t unused = 0;
    if (node->used.load_relaxed() == 0 && node->used.cas_acq_rel(unused, 1))
      return node;  // pairs with give_back
  }
  return nullptr;
}

// A page of entries at a time, and not from malloc: a thread's first call may be made in a signal handler.
void grow() {
  auto mapped = sys::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  PORTOLAN_ASSERT(mapped);
  Node* fresh = new (*mapped) Node[kNodesPerPage];
  for (unsigned i = 0; i + 1 < kNodesPerPage; ++i) fresh[i].next = &fresh[i + 1];
  Node*& tail = fresh[kNodesPerPage - 1].next;
  Node* head = nodes.load_acquire();
  do tail = head;
  while (!nodes.cas_acq_rel(head, fresh));  // pairs with the loads of nodes
}

bool pass_barrier_in_all_threads() {
  if (sys::call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0) return true;
  // EPERM: this process has not registered yet.
  if (sys::call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0 &&
      sys::call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0)
    return true;
  return sys::call(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0) == 0;
}

}  // namespace

thread_local constinit ThreadEpoch* this_thread_epoch = nullptr;
constinit Atomic<std::uint64_t> global_epoch{1};

ThreadEpoch* register_thread_epoch() {
  const pthread_key_t key = end_of_thread_key();
  Node* node;
  while ((node = take_unused()) == nullptr) grow();
  node->epoch.depth = 0;
  node->epoch.signals_put_off.store_relaxed(0);
  this_thread_epoch = &node->epoch;
  ::pthread_setspecific(key, node);
  return this_thread_epoch;
}

void set_put_off_signal_hook(void (*hook)()) {
  put_off_hook.store_release(hook);
}  // pairs with run_put_off_signals

void run_put_off_signals() {
  this_thread_epoch->signals_put_off.store_relaxed(0);
  if (auto* hook = put_off_hook.load_acquire()) hook();  // pairs with set_put_off_signal_hook
}

std::uint64_t begin_epoch() { return global_epoch.fetch_add_acq_rel(1) + 1; }  // pairs with CallEpoch

bool quiesced(std::uint64_t epoch) {
  if (!pass_barrier_in_all_threads()) return false;
  for (Node* node = nodes.load_acquire(); node != nullptr; node = node->next) {  // pairs with grow
    const std::uint64_t entered = node->epoch.entered.load_acquire();            // pairs with ~CallEpoch
    if (entered != 0 && entered < epoch) return false;
  }
  return true;
}

}  // namespace portolan::sync
