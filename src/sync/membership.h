// SPDX-License-Identifier: Apache-2.0
// What this process has of a runtime's participants, one per participants/ directory however often it is
// opened. Two slots of one directory in one process could not be told apart by a POSIX lock, which belongs to
// the process.
#pragma once
#include <cstdint>

#include "sync/atomic.h"
#include "sync/process_generation.h"

namespace portolan::sync::detail {

struct Membership {
  // Valid for readers only while joined_generation is the process's.
  Atomic<std::uint64_t> joined_generation;
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;
  int lock_fd = -1;

  // Guarded by MembershipsLock.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t instances = 0;
  Membership* next = nullptr;

  bool joined() const {
    return joined_generation.load_acquire() == process_generation();  // pairs with join
  }
};

// Held while memberships are found, joined or left. A lock that names the process generation of its holder:
// in a child, what a thread of the parent held at the moment of fork is free.
class MembershipsLock {
 public:
  MembershipsLock();
  MembershipsLock(const MembershipsLock&) = delete;
  MembershipsLock& operator=(const MembershipsLock&) = delete;
  ~MembershipsLock();
};

// Finds or makes the membership of the directory behind the fd and counts one more instance of it.
Membership* take_membership(int directory);

}  // namespace portolan::sync::detail
