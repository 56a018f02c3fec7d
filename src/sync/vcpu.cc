// SPDX-License-Identifier: Apache-2.0
// Virtual CPUs: exclusive leases, robust against the death of their holders.
//
// Source        the kernel runs a BPF program with migration off, so a per-CPU value has one writer at a
// time. A user
//               thread cannot turn migration off; it leases a number instead.
//
// Layout        VcpuSlot { u64 owner; u64 runs; u32 leases; u32 nesting; } on a line of its own, one per
// possible CPU, in
//               the control region.
//               Per thread: which vCPU it holds, by table; a hint that the slot's owner word confirms.
//
// Invariants    I1 `owner` changes from 0, or from a dead owner, to another, and back to 0 by the owner only;
//               I2 leases, nesting and runs are written by the owner only;
//               I3 runs is odd exactly while nesting is not 0, but for the moments in between.
//
// Linearization lease: the CAS that writes the owner. release: the store of 0. enter: the store that makes
// runs odd.
//               leave: the store that makes it even.
//
// Progress      lease: lock-free while a vCPU is free; else it waits: yields, then sleeps, and asks whether
// holders live.
//               enter and leave: wait-free.
//
// Crash table   killed …                          others see                          repaired by
//               before the CAS                    nothing                             –
//               holding a lease                   a dead owner's name                 a lease that finds none
//               free, or
//                                                                                     reclaim_dead, by CAS
//                                                                                     from that name
//               inside a program (runs odd)       the same; wait_quiescent asks       the same: whoever takes
//               over sets
//                                                 whether the owner lives             nesting 0 and runs even
//               while taking over                 its own name, dead: as above; each of these stores can be
//               done again
#include "sync/vcpu.h"

#include <sched.h>

#include "base/assert.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

constinit Atomic<unsigned (*)()> cpu_choice;
constinit Atomic<std::uint64_t> last_instance;

struct Held {
  std::uint64_t instance = 0;
  std::uint32_t vcpu = 0;
};
constexpr unsigned kHeld = 4;
thread_local constinit Held held_by_thread[kHeld] __attribute__((tls_model("initial-exec")));

unsigned current_cpu() {
  if (auto* choose = cpu_choice.load_acquire()) return choose();  // pairs with set_cpu_choice_for_test
  const int cpu = ::sched_getcpu();                               // vDSO: no system call
  return cpu < 0 ? 0 : static_cast<unsigned>(cpu);
}

bool pinned_to_one_cpu() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) == 1;
}

}  // namespace

void set_cpu_choice_for_test(unsigned (*choose)()) {
  cpu_choice.store_release(choose);
}  // pairs with current_cpu

VcpuTable::VcpuTable(std::span<VcpuSlot> slots)
    : slots_(slots), instance_(last_instance.fetch_add_relaxed(1) + 1) {
  PORTOLAN_ASSERT(!slots.empty());
}

bool VcpuTable::take(std::uint32_t vcpu, const Actor& actor) {
  std::uint64_t nobody = 0;
  VcpuSlot& slot = slots_[vcpu];
  if (slot.owner.load_relaxed() != 0 ||
      !slot.owner.cas_seq_cst(nobody, actor.self.word()))  // pairs with release and wait_quiescent
    return false;
  slot.leases.store_relaxed(1);
  return true;
}

bool VcpuTable::take_from_dead(std::uint32_t vcpu, std::uint64_t dead, Owner heir) {
  VcpuSlot& slot = slots_[vcpu];
  if (!slot.owner.cas_seq_cst(dead, heir.word())) return false;  // pairs with release
  slot.nesting.store_relaxed(0);
  if (const std::uint64_t runs = slot.runs.load_relaxed(); runs % 2 != 0)
    slot.runs.store_release(runs + 1);  // pairs with wait_quiescent
  slot.leases.store_relaxed(1);
  return true;
}

std::uint32_t VcpuTable::lease(const Actor& actor) {
  Held& held = held_by_thread[instance_ % kHeld];
  if (held.instance == instance_ && slots_[held.vcpu].owner.load_relaxed() == actor.self.word()) {
    slots_[held.vcpu].leases.store_relaxed(slots_[held.vcpu].leases.load_relaxed() + 1);
    return held.vcpu;
  }
  if (held.instance != 0 &&
      held.instance != instance_)  // the hint is another table's: look whether one is held here
    for (std::uint32_t vcpu = 0; vcpu < count(); ++vcpu)
      if (slots_[vcpu].owner.load_relaxed() == actor.self.word()) {
        slots_[vcpu].leases.store_relaxed(slots_[vcpu].leases.load_relaxed() + 1);
        return vcpu;
      }
  const auto got = [&](std::uint32_t vcpu) {
    held = {instance_, vcpu};
    return vcpu;
  };
  for (std::uint32_t round = 0;; ++round) {
    const std::uint32_t own = current_cpu() % count();
    if (take(own, actor)) return got(own);
    const std::uint32_t others = pinned_to_one_cpu() ? 1 : count();
    for (std::uint32_t step = 1; step < others; ++step)
      if (const std::uint32_t vcpu = (own + step) % count(); take(vcpu, actor)) return got(vcpu);
    if (round % 64 == 0)
      for (std::uint32_t step = 0; step < others; ++step) {
        const std::uint32_t vcpu = (own + step) % count();
        const std::uint64_t holder = slots_[vcpu].owner.load_relaxed();
        if (holder == 0) continue;
        // This thread holds none (see above): its own name is that of a thread which had its id before it.
        const bool dead = holder == actor.self.word() || !actor.liveness->alive(Owner(holder));
        if (dead && take_from_dead(vcpu, holder, actor.self)) return got(vcpu);
      }
    if (round < 256)
      sys::yield();
    else
      sys::sleep_ns(50'000);
  }
}

void VcpuTable::lease_one(const Actor& actor, std::uint32_t vcpu) {
  for (std::uint32_t round = 0; !take(vcpu, actor); ++round) {
    if (round % 64 == 0)
      if (const std::uint64_t holder = slots_[vcpu].owner.load_relaxed();
          holder != 0 && !actor.liveness->alive(Owner(holder)) && take_from_dead(vcpu, holder, actor.self))
        break;
    if (round < 256)
      sys::yield();
    else
      sys::sleep_ns(50'000);
  }
  held_by_thread[instance_ % kHeld] = {instance_, vcpu};
}

void VcpuTable::release(const Actor& actor, std::uint32_t vcpu) {
  VcpuSlot& slot = slots_[vcpu];
  PORTOLAN_ASSERT(slot.owner.load_relaxed() == actor.self.word());
  const std::uint32_t leases = slot.leases.load_relaxed() - 1;
  slot.leases.store_relaxed(leases);
  if (leases == 0) slot.owner.store_release(0);  // pairs with take
}

bool VcpuTable::is_inside(const Actor& actor) const {
  for (const VcpuSlot& slot : slots_)
    if (slot.owner.load_relaxed() == actor.self.word()) return slot.nesting.load_relaxed() != 0;
  return false;
}

std::uint32_t VcpuTable::reclaim_dead(const Actor& actor) {
  std::uint32_t reclaimed = 0;
  for (VcpuSlot& slot : slots_) {
    const std::uint64_t holder = slot.owner.load_relaxed();
    if (holder == 0 || holder == actor.self.word() || actor.liveness->alive(Owner(holder))) continue;
    const auto vcpu = static_cast<std::uint32_t>(&slot - slots_.data());
    if (!take_from_dead(vcpu, holder, actor.self)) continue;
    slot.leases.store_relaxed(0);
    slot.owner.store_release(0);  // pairs with take
    ++reclaimed;
  }
  return reclaimed;
}

}  // namespace portolan::sync
