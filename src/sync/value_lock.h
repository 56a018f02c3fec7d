// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sync/vcpu.h"

namespace portolan::sync {

// bpf_spin_lock: four bytes of a map's value that name the run of a program which holds it, 0 when free. See
// value_lock.cc for the essay.
class ValueLock {
 public:
  // The caller is inside the vCPU (VcpuTable::enter) until after unlock(), and holds no other such lock.
  void lock(const VcpuTable& vcpus, std::uint32_t vcpu, const Actor& actor) {
    std::uint32_t nobody = 0;
    if (word_.cas_acq_rel(nobody, name(vcpus, vcpu))) [[likely]]  // pairs with unlock, and is_over
      return;
    lock_contended(vcpus, vcpu, actor);
  }
  void unlock(const VcpuTable& vcpus, std::uint32_t vcpu) {
    std::uint32_t own = name(vcpus, vcpu);
    word_.cas_release(own, 0);  // pairs with lock
  }

 private:
  static constexpr std::uint32_t kVcpuBits = 13;
  static constexpr std::uint32_t kVcpuMask = (1u << kVcpuBits) - 1;

  // The vCPU + 1, and the low bits of the number of its run.
  static std::uint32_t name(const VcpuTable& vcpus, std::uint32_t vcpu) {
    const std::uint64_t run = vcpus.slots()[vcpu].runs.load_relaxed() / 2;
    return static_cast<std::uint32_t>(run << kVcpuBits) | ((vcpu + 1) & kVcpuMask);
  }
  static bool is_over(const VcpuTable& vcpus, std::uint32_t holder, std::uint32_t own);
  static bool has_died(const VcpuTable& vcpus, std::uint32_t holder, const Actor& actor);
  void lock_contended(const VcpuTable& vcpus, std::uint32_t vcpu, const Actor& actor);

  Atomic<std::uint32_t> word_;
};
static_assert(sizeof(ValueLock) == 4);

// Leases a vCPU and is inside it for a scope, as a program is: for system calls that take such locks. Before
// any other lock, as a lease may have to wait for programs.
class VcpuScope {
 public:
  VcpuScope(VcpuTable& vcpus, const Actor& actor) : vcpus_(vcpus), actor_(actor), vcpu_(vcpus.lease(actor)) {
    vcpus_.enter(vcpu_);
  }
  VcpuScope(const VcpuScope&) = delete;
  VcpuScope& operator=(const VcpuScope&) = delete;
  ~VcpuScope() {
    vcpus_.leave(vcpu_);
    vcpus_.release(actor_, vcpu_);
  }

 private:
  friend class ValueLockGuard;
  VcpuTable& vcpus_;
  const Actor& actor_;
  std::uint32_t vcpu_;
};

class ValueLockGuard {
 public:
  ValueLockGuard(ValueLock& lock, const VcpuScope& scope) : lock_(lock), scope_(scope) {
    lock_.lock(scope_.vcpus_, scope_.vcpu_, scope_.actor_);
  }
  ValueLockGuard(const ValueLockGuard&) = delete;
  ValueLockGuard& operator=(const ValueLockGuard&) = delete;
  ~ValueLockGuard() { lock_.unlock(scope_.vcpus_, scope_.vcpu_); }

 private:
  ValueLock& lock_;
  const VcpuScope& scope_;
};

}  // namespace portolan::sync
