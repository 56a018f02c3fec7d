// SPDX-License-Identifier: Apache-2.0
#include "shim/perf_event.h"

#include <fcntl.h>
#include <linux/perf_event.h>

#include "base/fault_copy.h"
#include "base/sys.h"
#include "shim/session.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

const void* at(long address) { return reinterpret_cast<const void*>(static_cast<std::intptr_t>(address)); }

}  // namespace

long open_perf_event(long attr_address, long pid, long cpu, long group, long flags) {
  perf_event_attr attr{};
  std::uint32_t size = 0;
  if (!portolan_fault_copy(&size,
                           static_cast<const std::byte*>(at(attr_address)) + offsetof(perf_event_attr, size),
                           sizeof size))
    return -ENOSYS;
  if (size == 0) size = PERF_ATTR_SIZE_VER0;
  if (!portolan_fault_copy(&attr, at(attr_address), std::min<std::size_t>(size, sizeof attr))) return -ENOSYS;
  const auto process = static_cast<std::int32_t>(pid), processor = static_cast<std::int32_t>(cpu);
  const std::optional<map::PerfEventSpec> spec = map::PerfEventSpec::of(attr, process, processor);
  if (!spec || (!spec->takes_records && static_cast<std::int32_t>(group) != -1)) return -ENOSYS;
  object::Runtime* const there = runtime();
  if (there == nullptr) return -ENOSYS;
  if ((flags & ~long{PERF_FLAG_FD_CLOEXEC | PERF_FLAG_FD_NO_GROUP}) != 0) return -EINVAL;
  if (process == -1 && processor == -1) return -EINVAL;
  if (processor < -1 || processor >= static_cast<std::int32_t>(there->possible_cpus())) return -EINVAL;
  const sync::CallEpoch epoch;
  auto draft = map::PerfEvent::draft(*there, *spec);
  if (!draft) return -draft.error().value;
  auto published = there->publish(std::move(*draft), {}, shm::Access::kReadWrite);
  if (!published) return -published.error().value;
  const int fd = published->fd.release();
  if ((flags & PERF_FLAG_FD_CLOEXEC) == 0) (void)sys::call(SYS_fcntl, fd, F_SETFD, 0);
  return fd;
}

map::PerfEvent* perf_event_behind(int fd) {
  object::Runtime* const there = runtime_if_open();
  if (there == nullptr || !there->is_handle(fd)) return nullptr;
  const auto target = there->target_of_fd(fd, object::Kind::kPerfEvent);
  return target ? static_cast<map::PerfEvent*>(target->view) : nullptr;
}

long control_perf_event(map::PerfEvent& event, unsigned long request, long argument) {
  switch (request) {
    case PERF_EVENT_IOC_ENABLE:
      event.enable(true);
      return 0;
    case PERF_EVENT_IOC_DISABLE:
      event.enable(false);
      return 0;
    case PERF_EVENT_IOC_RESET:
      event.reset();
      return 0;
    case PERF_EVENT_IOC_ID: {
      const std::uint64_t id = event.id();
      return portolan_fault_copy(const_cast<void*>(at(argument)), &id, sizeof id) ? 0 : -EFAULT;
    }
    default:
      return -ENOTTY;
  }
}

long read_perf_event(const map::PerfEvent& event, void* to, std::size_t size) {
  const map::PerfEventValue value = event.value();
  std::uint64_t words[4] = {value.counter};
  std::size_t count = 1;
  const std::uint64_t format = event.spec().read_format;
  if ((format & PERF_FORMAT_TOTAL_TIME_ENABLED) != 0) words[count++] = value.enabled_ns;
  if ((format & PERF_FORMAT_TOTAL_TIME_RUNNING) != 0) words[count++] = value.running_ns;
  if ((format & PERF_FORMAT_ID) != 0) words[count++] = event.id();
  if (size < count * sizeof words[0]) return -ENOSPC;
  if (!portolan_fault_copy(to, words, count * sizeof words[0])) return -EFAULT;
  return static_cast<long>(count * sizeof words[0]);
}

}  // namespace portolan::shim
