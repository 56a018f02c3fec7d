// SPDX-License-Identifier: Apache-2.0
// Virtual CPUs: a program runs while its thread leases one, exclusively, as on a CPU with migration off.
// Per-CPU values are therefore free of races. See vcpu.cc for the essay.
#pragma once
#include <cstdint>
#include <span>

#include "base/result.h"
#include "sync/atomic.h"
#include "sync/owner.h"
#include "sync/process_barrier.h"

namespace portolan::sync {

// Lies in the control file of a runtime, as many as it has possible CPUs. All zero: free, at rest.
struct alignas(64) VcpuSlot {
  Atomic<std::uint64_t> owner;    // Owner, 0 when free
  Atomic<std::uint64_t> runs;     // odd while a program runs
  Atomic<std::uint32_t> leases;   // how often the owner has leased it; only the owner writes
  Atomic<std::uint32_t> nesting;  // programs that the owner is inside of; only the owner writes
};
static_assert(sizeof(VcpuSlot) == 64);

// A process's view of a runtime's vCPUs. Thread-safe.
class VcpuTable {
 public:
  explicit VcpuTable(std::span<VcpuSlot> slots);

  std::uint32_t count() const { return static_cast<std::uint32_t>(slots_.size()); }

  // The vCPU that the calling thread has leased; if none, leases that of the CPU it runs on, or a free one
  // when that is busy and the thread is not pinned to one CPU. Waits while all are busy. Each lease needs a
  // release by the same thread; only the last one frees the vCPU.
  std::uint32_t lease(const Actor& actor);
  // Leases that very one, and waits while it is busy. The thread has none so far.
  void lease_one(const Actor& actor, std::uint32_t vcpu);
  void release(const Actor& actor, std::uint32_t vcpu);

  // Around each run of a program on a leased vCPU; nests.
  void enter(std::uint32_t vcpu) { enter(slots_[vcpu]); }
  void leave(std::uint32_t vcpu) { leave(slots_[vcpu]); }
  static void enter(VcpuSlot& slot);
  static void leave(VcpuSlot& slot);

  // Whether the calling thread is inside a program.
  bool is_inside(const Actor& actor) const;

  // Frees the vCPUs whose owner has died; how many there were.
  std::uint32_t reclaim_dead(const Actor& actor);

  std::span<VcpuSlot> slots() const { return slots_; }

 private:
  bool take(std::uint32_t vcpu, const Actor& actor);
  bool take_from_dead(std::uint32_t vcpu, std::uint64_t dead, Owner heir);

  std::span<VcpuSlot> slots_;
  std::uint64_t instance_;
};

inline void VcpuTable::enter(VcpuSlot& slot) {
  const std::uint32_t nesting = slot.nesting.load_relaxed();
  slot.nesting.store_relaxed(nesting + 1);
  if (nesting != 0) return;
  slot.runs.store_relaxed(slot.runs.load_relaxed() + 1);
  // The run's loads come after; pairs with the fence and the barrier in wait_quiescent.
  if (passes_barriers_of_others()) [[likely]]
    fence_compiler();
  else
    fence_seq_cst();
}

inline void VcpuTable::leave(VcpuSlot& slot) {
  const std::uint32_t nesting = slot.nesting.load_relaxed() - 1;
  if (nesting == 0) slot.runs.store_release(slot.runs.load_relaxed() + 1);  // pairs with wait_quiescent
  slot.nesting.store_relaxed(nesting);
}

// Tests: `choose` answers which CPU this thread runs on, until it is set back to nullptr.
void set_cpu_choice_for_test(unsigned (*choose)());

}  // namespace portolan::sync
