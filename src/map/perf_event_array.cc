// SPDX-License-Identifier: Apache-2.0
#include "map/perf_event_array.h"

namespace portolan::map {

Result<std::uint32_t> PerfEventArrayMap::fd_get_ptr(int fd) {
  const auto target = runtime().target_of_fd(fd, object::Kind::kPerfEvent);
  if (!target) return fail(EBADF);
  return target->view->id();
}

}  // namespace portolan::map
