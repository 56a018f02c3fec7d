// SPDX-License-Identifier: Apache-2.0
// bpf_spin_lock: a lock of four bytes inside a value that programs and system calls of many processes share.
//
// Source        the kernel's bpf_spin_lock is a queued spin lock, which its holder cannot leave locked:
// nothing
//               interrupts it. Here a process can be killed inside. Four bytes do not hold an Owner; but
//               whoever takes the lock is inside a vCPU, and that has an owner (vcpu.cc).
//
// Layout        u32: 0 free; else bits 12..0 the vCPU + 1, bits 31..13 the low bits of that vCPU's runs / 2.
//
// Invariants    I1 a run writes its own name over 0, or over a name whose run is over or dead, and 0 over its
// own;
//               I2 a run that has ended never holds the lock: programs unlock before they end (the verifier),
//               and system calls before they leave the vCPU.
//
// Linearization lock: the CAS that writes the name. unlock: the CAS from it to 0.
//
// Ordering      runs is odd and new before the name is written (cas_acq_rel), so that whoever reads the name
//               (load_acquire) and then runs cannot see the run before: he would think it over. unlock comes
//               before the store that ends the run (release): who sees the run over and the name still there
//               sees a lock that nobody will unlock, and his CAS from that name fails if it was unlocked
//               after all.
//
// Progress      blocking, unfair: spins, then gives the processor away, then sleeps. A stopped holder makes
// others
//               wait. A name repeats after 2^19 runs of a vCPU: a waiter may then wait for the end of one
//               more run.
//
// Garbage       a word that names no vCPU, or the waiter's own run, was written by somebody who must not: it
// is
//               taken as if its run were over.
//
// Crash table   killed …                 others see                    repaired by
//               before the CAS           nothing                       –
//               holding the lock         the name of a run that does   a waiter who finds the vCPU's owner
//               dead, or
//                                        not end, or has been ended    the run ended by whoever took that
//                                        vCPU over: by a later owner              his CAS from the name. The
//                                        value is as far
//                                                                      written as it is, whole word by word
//               after unlock             nothing                       –
#include "sync/value_lock.h"

#include "base/sys.h"

namespace portolan::sync {
namespace {

constexpr std::uint32_t kSpins = 256;
constexpr std::uint32_t kYields = 1024;
constexpr std::uint64_t kSleep_ns = 50'000;

// True when it is time to ask whether the holder lives.
bool wait_a_little(std::uint32_t round) {
  if (round < kSpins) {
    spin_hint();
    return false;
  }
  if (round < kSpins + kYields) {
    sys::yield();
    return round == kSpins;
  }
  sys::sleep_ns(kSleep_ns);
  return (round - kSpins - kYields) % 32 == 0;
}

}  // namespace

// Whether the run that a name stands for has ended, or never was.
bool ValueLock::is_over(const VcpuTable& vcpus, std::uint32_t holder, std::uint32_t own) {
  const std::uint32_t vcpu = (holder & kVcpuMask) - 1;
  if (holder == own || vcpu >= vcpus.count()) return true;
  const std::uint64_t runs = vcpus.slots()[vcpu].runs.load_acquire();  // pairs with leave, take_from_dead
  return runs % 2 == 0 || static_cast<std::uint32_t>(runs / 2 << kVcpuBits) != (holder & ~kVcpuMask);
}

// Whether the run goes on, but has lost its process.
bool ValueLock::has_died(const VcpuTable& vcpus, std::uint32_t holder, const Actor& actor) {
  const VcpuSlot& slot = vcpus.slots()[(holder & kVcpuMask) - 1];
  const Owner owner(slot.owner.load_acquire());  // pairs with take, take_from_dead
  return !owner.is_nobody() && !actor.liveness->alive(owner);
}

void ValueLock::lock_contended(const VcpuTable& vcpus, std::uint32_t vcpu, const Actor& actor) {
  const std::uint32_t own = name(vcpus, vcpu);
  for (std::uint32_t round = 0;; ++round) {
    std::uint32_t seen = word_.load_acquire();  // pairs with lock: see Ordering
    const bool free = seen == 0 || is_over(vcpus, seen, own);
    if (!free && !(wait_a_little(round) && has_died(vcpus, seen, actor))) continue;
    if (word_.cas_acq_rel(seen, own)) return;  // pairs with unlock, and is_over
  }
}

}  // namespace portolan::sync
