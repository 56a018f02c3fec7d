// SPDX-License-Identifier: Apache-2.0
// Maps that can be waited for, by poll and epoll: who waits reads a FIFO, which whoever changes the map
// writes.
#pragma once
#include "base/unique_fd.h"
#include "ds/watch.h"
#include "map/map.h"

namespace portolan::map {

class WaitableMap : public Map {
 public:
  using Map::Map;
  ~WaitableMap() override;
  WaitableMap* waitable() override { return this; }

  // A descriptor that becomes readable when the kernel would wake who polls the map: then take_wakeup() comes
  // first, and a look at poll() after it. Several such descriptors of a map share its wakeups.
  Result<UniqueFd> open_wakeup();
  void take_wakeup(int wakeup);
  // What a process that died holds back is let go; who waits for it waits no more.
  virtual void settle_the_dead() {}

 protected:
  void wake();
  virtual ds::Watch& watch() = 0;  // in the map's region

 private:
  sync::Atomic<int> wakeup_{-1};  // this process's, for writing
};

}  // namespace portolan::map
