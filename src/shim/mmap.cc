// SPDX-License-Identifier: Apache-2.0
// mmap(2) of a map's fd, with the kernel's refusals; writable mappings are counted, since they forbid
// freezing.
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "base/sys.h"
#include "map/map.h"
#include "map/perf_event.h"
#include "shim/path.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

struct Mapping {
  std::uintptr_t end;
  object::View* view;
  bool writable;
};
std::mutex mappings_mutex;
std::map<std::uintptr_t, Mapping> mappings;  // of maps, by address

// The part of every known mapping that lies in [from, to) is gone.
void forget_mappings(std::uintptr_t from, std::uintptr_t to) {
  std::lock_guard lock(mappings_mutex);
  for (auto it = mappings.begin(); it != mappings.end() && it->first < to;) {
    const auto [start, mapping] = *it;
    if (mapping.end <= from) {
      ++it;
      continue;
    }
    it = mappings.erase(it);
    if (start < from)
      mappings[start] = {from, mapping.view, mapping.writable};
    else if (mapping.end > to)
      mappings[to] = {mapping.end, mapping.view, mapping.writable};
    else if (mapping.writable)
      runtime_if_open()->remove_writable_mapping(*mapping.view);
  }
}

long map_handle(object::Target target, void* address, std::size_t length, int protection, int flags, int fd,
                off_t offset) {
  if (target.view->kind() == object::Kind::kPerfEvent) {
    auto& event = *static_cast<map::PerfEvent*>(target.view);
    const bool is_shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    const auto may =
        event.mmap(is_shared, (protection & PROT_WRITE) != 0, static_cast<std::uint64_t>(offset), length);
    if (!may) return -may.error().value;
    return sys::call(SYS_mmap, word(address), static_cast<long>(length), protection, flags, fd, offset);
  }
  if (target.view->kind() != object::Kind::kMap) return -ENODEV;
  auto& map = *static_cast<map::Map*>(target.view);
  const bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
  const bool writable = (protection & PROT_WRITE) != 0;
  if (offset % static_cast<off_t>(kPageSize) != 0 || length == 0) return -EINVAL;
  if ((target.access == shm::Access::kWriteOnly) ||
      (writable && shared && target.access == shm::Access::kReadOnly))
    return -EACCES;
  // Of an fd that cannot write, mmap makes a private mapping in all but name; and maps are on a noexec mount.
  if ((protection & PROT_EXEC) != 0) return -EPERM;
  const bool counts_as_shared = shared && target.access == shm::Access::kReadWrite;
  if (auto may = map.may_mmap(counts_as_shared, writable, static_cast<std::uint64_t>(offset), length); !may)
    return -may.error().value;
  if (writable)
    if (auto counted = runtime()->add_writable_mapping(map); !counted) return -counted.error().value;
  const long result =
      sys::call(SYS_mmap, word(address), static_cast<long>(length), protection, flags, fd, offset);
  if (result < 0 && result >= -4095) {
    if (writable) runtime()->remove_writable_mapping(map);
    return result;
  }
  std::lock_guard lock(mappings_mutex);
  const auto start = static_cast<std::uintptr_t>(result);
  mappings[start] = {start + round_up(length, kPageSize), &map, writable};
  return result;
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan;
using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT void* mmap(void* address, size_t length, int protection, int flags, int fd,
                                off_t offset) noexcept {
  if ((flags & MAP_ANONYMOUS) == 0 && runtime_if_open() != nullptr && runtime_if_open()->is_handle(fd)) {
    sync::CallEpoch epoch;
    if (auto target = runtime()->target_of_any_fd(fd))
      return reinterpret_cast<void*>(
          libc_result(map_handle(*target, address, length, protection, flags, fd, offset)));
  }
  return reinterpret_cast<void*>(libc_result(
      sys::call(SYS_mmap, word(address), static_cast<long>(length), protection, flags, fd, offset)));
}
PORTOLAN_SHIM_EXPORT void* mmap64(void* address, size_t length, int protection, int flags, int fd,
                                  off64_t offset) noexcept {
  return mmap(address, length, protection, flags, fd, offset);
}
PORTOLAN_SHIM_EXPORT int munmap(void* address, size_t length) noexcept {
  const long result = sys::call(SYS_munmap, word(address), static_cast<long>(length));
  if (result == 0 && runtime_if_open() != nullptr) {
    const auto start = reinterpret_cast<std::uintptr_t>(address);
    forget_mappings(start, start + round_up(length, kPageSize));
  }
  return static_cast<int>(libc_result(result));
}
PORTOLAN_SHIM_EXPORT int mprotect(void* address, size_t length, int protection) noexcept {
  if ((protection & PROT_WRITE) != 0 && runtime_if_open() != nullptr) {
    std::lock_guard lock(mappings_mutex);
    const auto start = reinterpret_cast<std::uintptr_t>(address);
    for (const auto& [from, mapping] : mappings)
      if (from < start + length && start < mapping.end && !mapping.writable)
        return static_cast<int>(libc_result(-EACCES));
  }
  return static_cast<int>(
      libc_result(sys::call(SYS_mprotect, word(address), static_cast<long>(length), protection)));
}
