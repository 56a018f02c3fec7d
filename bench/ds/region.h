// SPDX-License-Identifier: Apache-2.0
// Where a data structure that is measured by itself lies: in a file of /dev/shm that has no name any more.
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "shm/region.h"
#include "sync/robust_lock.h"

namespace portolan::bench {

class EveryoneLives final : public sync::Liveness {
 public:
  bool alive(sync::Owner) const override { return true; }
};

inline sync::Actor actor(int thread) {
  static const EveryoneLives liveness;
  return {sync::Owner(0, 1, static_cast<std::uint32_t>(100 + thread)), &liveness};
}

template <class Sizes>
shm::Region make_region(const Sizes& sizes) {
  const int directory = ::open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const std::string name = "portolan-ds-bench-" + std::to_string(::getpid());
  auto region = shm::Region::create(directory, name.c_str(), sizes.total, sizes.reserved, 0600);
  ::unlinkat(directory, name.c_str(), 0);
  ::close(directory);
  if (!region) std::abort();
  return std::move(*region);
}

}  // namespace portolan::bench
