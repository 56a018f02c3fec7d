// SPDX-License-Identifier: Apache-2.0
#include "sync/membership.h"

#include "base/sys.h"

namespace portolan::sync::detail {
namespace {

constinit Atomic<std::uint64_t> holder;
Membership* memberships = nullptr;  // never freed; those without instances are used again

}  // namespace

MembershipsLock::MembershipsLock() {
  const std::uint64_t self = process_generation();
  for (;;) {
    std::uint64_t seen = holder.load_relaxed();
    if (seen != self && holder.cas_acquire(seen, self)) return;  // pairs with ~MembershipsLock
    sys::yield();
  }
}

MembershipsLock::~MembershipsLock() { holder.store_release(0); }  // pairs with MembershipsLock

Membership* take_membership(int directory) {
  struct ::stat status{};
  const bool known = sys::fstat(directory, status).has_value();
  const MembershipsLock lock;
  Membership* unused = nullptr;
  for (Membership* entry = memberships; entry != nullptr; entry = entry->next) {
    if (entry->instances == 0) {
      unused = entry;
    } else if (known && entry->device == status.st_dev && entry->inode == status.st_ino) {
      ++entry->instances;
      return entry;
    }
  }
  if (unused == nullptr) {
    unused = new Membership;
    unused->next = memberships;
    memberships = unused;
  }
  unused->device = status.st_dev;
  unused->inode = status.st_ino;
  unused->instances = 1;
  return unused;
}

}  // namespace portolan::sync::detail
