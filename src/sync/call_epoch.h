// SPDX-License-Identifier: Apache-2.0
// Which threads of this process are inside a call on a runtime, so that a mapping is taken away only when
// none can be using it, and a signal can be put off until the call is over. Process-local; no shared memory.
// See call_epoch.cc.
#pragma once
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::sync {

// One per thread, registered at the thread's first call.
struct ThreadEpoch {
  Atomic<std::uint64_t> entered;          // the global epoch seen at entry, 0 when outside
  std::uint32_t depth = 0;                // nested calls of this thread
  Atomic<std::uint32_t> signals_put_off;  // the shim's wrapped handlers set it; leaving then calls the hook
};

ThreadEpoch* register_thread_epoch();
extern thread_local constinit ThreadEpoch* this_thread_epoch __attribute__((tls_model("initial-exec")));
extern constinit Atomic<std::uint64_t> global_epoch;
void run_put_off_signals();
void set_put_off_signal_hook(void (*hook)());

// In scope: mappings found through a runtime's tables stay mapped. May nest, in signal handlers too.
class CallEpoch {
 public:
  CallEpoch() : thread_(this_thread_epoch != nullptr ? this_thread_epoch : register_thread_epoch()) {
    ++thread_->depth;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    outermost_ = thread_->entered.load_relaxed() == 0;
    // No fence after this store: quiesced() makes every thread pass one, by membarrier(2).
    if (outermost_) thread_->entered.store_relaxed(global_epoch.load_acquire());  // pairs with begin_epoch
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  CallEpoch(const CallEpoch&) = delete;
  CallEpoch& operator=(const CallEpoch&) = delete;
  ~CallEpoch() {
    if (outermost_) thread_->entered.store_release(0);  // pairs with quiesced
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (--thread_->depth == 0 && thread_->signals_put_off.load_relaxed() != 0) [[unlikely]]
      run_put_off_signals();
  }
  static bool inside() { return this_thread_epoch != nullptr && this_thread_epoch->depth != 0; }

 private:
  ThreadEpoch* thread_;
  bool outermost_;
};

// Starts a new epoch and returns it. What was made unreachable before may be freed once quiesced(epoch).
std::uint64_t begin_epoch();
// True when no thread is inside a call that it entered before begin_epoch() returned `epoch`. Never true
// where membarrier(2) is missing or forbidden: then nothing is ever freed.
bool quiesced(std::uint64_t epoch);

}  // namespace portolan::sync
