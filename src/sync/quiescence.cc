// SPDX-License-Identifier: Apache-2.0
// Quiescence: a grace period over the vCPUs.
//
// Source        RCU with one counter per CPU, as in the kernel's dynticks: odd while a program runs, and a
//               change of any kind means that the run which was seen is over.
//
// Layout        the `runs` counters of VcpuSlot; nothing else.
//
// Why it holds  Writer: unlink; fence; B; read runs. Program: runs odd; F; read the pointer. F is a fence,
//               unless the program's process passes the barriers of others (process_barrier.h): then B is one
//               that its thread passes somewhere, and F is wherever it does. Either way one of the two comes
//               first. If the writer's does, the program does not find what was unlinked. If the program's
//               does, the writer reads an odd number, and waits until it changes: by leave's release store,
//               which comes after the program's last access.
//               B is left out where no other thread holds a vCPU: the look comes after the writer's fence,
//               and who leases one later does so by a sequentially consistent CAS, so that its loads come
//               after the unlinking.
//
// Linearization the return; a run that begins during the call may or may not be waited for.
//
// Progress      blocking: for as long as the longest program runs. A stopped process makes it wait; a dead
// one does not.
//
// Crash table   the caller killed: it has stored nothing. A program's process killed inside: runs stays odd,
// Liveness says
//               dead, and it counts as ended; the vCPU's next holder makes runs even (vcpu.cc).
#include "sync/quiescence.h"

#include "base/assert.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

void wait_for_run(const VcpuSlot& slot, std::uint64_t run, const Actor& actor) {
  for (std::uint32_t round = 1;; ++round) {
    // Owner before runs: were the slot handed on in between, runs would have moved.
    const Owner owner(slot.owner.load_acquire());  // pairs with VcpuTable::take
    if (slot.runs.load_acquire() != run) return;   // pairs with VcpuTable::leave
    PORTOLAN_ASSERT(owner != actor.self);
    if (round % 256 == 0 && !actor.liveness->alive(owner)) return;
    if (round < 128)
      spin_hint();
    else if (round < 1024)
      sys::yield();
    else
      sys::sleep_ns(50'000);
  }
}

bool others_hold_any(const VcpuTable& vcpus, const Actor& actor) {
  for (const VcpuSlot& slot : vcpus.slots()) {
    const Owner owner(slot.owner.load_acquire());  // pairs with VcpuTable::take and release
    if (!owner.is_nobody() && owner != actor.self) return true;
  }
  return false;
}

}  // namespace

void wait_quiescent(const VcpuTable& vcpus, const Actor& actor) {
  fence_seq_cst();  // what the caller unlinked comes before the look; pairs with VcpuTable::enter and take
  if (others_hold_any(vcpus, actor)) make_all_pass_a_barrier();  // pairs with VcpuTable::enter
  for (const VcpuSlot& slot : vcpus.slots())
    if (const std::uint64_t run = slot.runs.load_acquire(); run % 2 != 0)  // pairs with VcpuTable::leave
      wait_for_run(slot, run, actor);
}

}  // namespace portolan::sync
