// SPDX-License-Identifier: Apache-2.0
// Objects that can be waited for, by poll and epoll: who waits reads a FIFO, which whoever changes them
// writes.
#pragma once
#include "base/unique_fd.h"
#include "ds/watch.h"
#include "object/runtime.h"

namespace portolan::map {

class Waitable {
 public:
  virtual ~Waitable();
  Waitable() = default;
  Waitable(const Waitable&) = delete;
  Waitable& operator=(const Waitable&) = delete;

  // EPOLL* bits, as poll says them. May say a thing once only.
  virtual std::uint32_t ask() = 0;
  // A descriptor that becomes readable when the kernel would wake who polls: then take_wakeup() comes first,
  // and ask() after it. Several such descriptors of an object share its wakeups.
  Result<UniqueFd> open_wakeup();
  void take_wakeup(int wakeup);
  // What a process that died holds back is let go; who waits for it waits no more.
  virtual void settle_the_dead() {}

 protected:
  void wake();
  virtual ds::Watch& watch() = 0;  // in the object's region
  virtual const object::View& waited_for() const = 0;

 private:
  sync::Atomic<int> wakeup_{-1};  // this process's, for writing
};

// The one that the object is; nullptr: it cannot be waited for.
Waitable* waitable_of(object::View& view);

}  // namespace portolan::map
