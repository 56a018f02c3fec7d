// SPDX-License-Identifier: Apache-2.0
#include "shim/perf_event.h"

#include <fcntl.h>
#include <linux/perf_event.h>

#include <climits>

#include "base/fault_copy.h"
#include "base/sys.h"
#include "hook/uprobe.h"
#include "shim/session.h"
#include "sync/call_epoch.h"
#include "syscall/perf_event_programs.h"

namespace portolan::shim {
namespace {

const void* at(long address) { return reinterpret_cast<const void*>(static_cast<std::intptr_t>(address)); }

// The string may end where its page does. EFAULT; `too_long`: it does not fit.
Result<void> string_in(std::uint64_t address, std::span<char> to, int too_long) {
  const long length = portolan_fault_copy_string(
      to.data(), static_cast<const char*>(at(static_cast<long>(address))), to.size());
  if (length < 0) return fail(EFAULT);
  if (static_cast<std::size_t>(length) == to.size()) return fail(too_long);
  return {};
}

constexpr std::uint64_t kReturn = 1;  // format/retprobe

std::uint32_t end_of(const perf_event_attr& attr) {
  return (attr.config & kReturn) != 0 ? hook::kProbeReturn : hook::kProbeEntry;
}

Result<hook::Key> kprobe_key(const perf_event_attr& attr) {
  if (attr.kprobe_func == 0 || attr.probe_offset != 0) return fail(EINVAL);
  char name[sizeof(hook::Key::name)] = "";
  TRY(string_in(attr.kprobe_func, name, ENOENT));
  return hook::named(hook::Point::kProbe, end_of(attr), name);
}

// perf_uprobe_init
Result<hook::Key> uprobe_key(const perf_event_attr& attr) {
  constexpr unsigned kCounterOffset = 32;  // format/ref_ctr_offset
  char path[PATH_MAX] = "";
  if (attr.uprobe_path == 0) return fail(EINVAL);
  TRY(string_in(attr.uprobe_path, path, E2BIG));
  if (path[0] == '\0') return fail(EINVAL);
  const hook::ProbedFile file = TRY(hook::probed_file(path));
  if (!file.is_regular) return fail(EINVAL);
  TRY(hook::check_uprobe(file, attr.probe_offset, attr.config >> kCounterOffset));
  return hook::of_uprobe(file.device, file.inode, attr.probe_offset, end_of(attr));
}

// The hook that the event is of; nullptr: of none of ours. ENOENT: nobody has declared it.
Result<hook::Hook*> hook_of(object::Runtime& runtime, const perf_event_attr& attr) {
  if (attr.type == kKprobeType) return hook::Hook::find(runtime, TRY(kprobe_key(attr)));
  if (attr.type == kUprobeType) return hook::Hook::find(runtime, TRY(uprobe_key(attr)));
  if (attr.type != PERF_TYPE_TRACEPOINT || attr.config <= kFirstTracepoint) return nullptr;
  const auto id = static_cast<std::uint32_t>(attr.config - kFirstTracepoint);
  auto* const hook = static_cast<hook::Hook*>(TRY(runtime.view_by_id(object::Kind::kHook, id)));
  if (hook->key().point != hook::Point::kTraceEvent) return fail(ENOENT);
  return hook;
}

// The process that a uprobe is for, by one of its threads: 0 is the caller's; -1: all. ESRCH.
Result<std::int32_t> process_of(std::int32_t thread) {
  if (thread < 0) return -1;
  const int whose = thread == 0 ? sys::getpid() : thread;
  return static_cast<std::int32_t>(TRY(hook::process_of_thread(static_cast<std::uint32_t>(whose))));
}

// Whatever thread and CPU an event of a hook is asked for: programs run for all, as at the kernel's probes
// and tracepoints, but for uprobes, which are of a process. Nothing: it is no event of ours.
Result<std::optional<map::PerfEventSpec>> spec_of(object::Runtime& runtime, const perf_event_attr& attr,
                                                  std::int32_t thread, std::int32_t cpu) {
  const std::int32_t process = attr.type == kUprobeType ? TRY(process_of(thread)) : -1;
  const hook::Hook* const hook = TRY(hook_of(runtime, attr));
  if (hook == nullptr) return map::PerfEventSpec::of(attr, thread, cpu);
  map::PerfEventSpec spec;
  spec.thread = process;
  spec.read_format = attr.read_format;
  spec.is_disabled = attr.disabled != 0;
  spec.takes_records = false;
  spec.hook_id = hook->id();
  return spec;
}

long publish(object::Runtime& runtime, const map::PerfEventSpec& spec, long flags) {
  auto draft = map::PerfEvent::draft(runtime, spec);
  if (!draft) return -draft.error().value;
  auto published = runtime.publish(std::move(*draft), {}, shm::Access::kReadWrite);
  if (!published) return -published.error().value;
  const int fd = published->fd.release();
  if ((flags & PERF_FLAG_FD_CLOEXEC) == 0) (void)sys::call(SYS_fcntl, fd, F_SETFD, 0);
  return fd;
}

// PERF_EVENT_IOC_QUERY_BPF, as perf_event_query_prog_array.
long query_programs(const map::PerfEvent& event, long argument) {
  constexpr std::uint32_t kMost = 64;  // BPF_TRACE_MAX_PROGS
  const auto programs = syscall::programs_of_event(event);
  if (!programs) return -programs.error().value;
  std::uint32_t room = 0;
  if (!portolan_fault_copy(&room, at(argument), sizeof room)) return -EFAULT;
  if (room > kMost) return -E2BIG;
  const auto count = static_cast<std::uint32_t>(programs->size());
  auto* const query = static_cast<std::byte*>(const_cast<void*>(at(argument)));
  const std::size_t shown = std::min(room, count) * sizeof(std::uint32_t);
  if (!portolan_fault_copy(query + sizeof room, &count, sizeof count) ||
      !portolan_fault_copy(query + sizeof room + sizeof count, programs->data(), shown))
    return -EFAULT;
  return room != 0 && count > room ? -ENOSPC : 0;
}

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
  object::Runtime* const there = runtime();
  if (there == nullptr) return -ENOSYS;
  const sync::CallEpoch epoch;
  const auto known = spec_of(*there, attr, process, processor);
  if (!known) return -known.error().value;
  const std::optional<map::PerfEventSpec>& spec = *known;
  if (!spec || (!spec->takes_records && static_cast<std::int32_t>(group) != -1)) return -ENOSYS;
  if ((flags & ~long{PERF_FLAG_FD_CLOEXEC | PERF_FLAG_FD_NO_GROUP}) != 0) return -EINVAL;
  if (process == -1 && processor == -1) return -EINVAL;
  if (processor < -1 || processor >= static_cast<std::int32_t>(there->possible_cpus())) return -EINVAL;
  return publish(*there, *spec, flags);
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
    case PERF_EVENT_IOC_SET_BPF: {
      const auto set = syscall::set_program_of_event(event.runtime(), event, static_cast<int>(argument));
      return set ? 0 : -set.error().value;
    }
    case PERF_EVENT_IOC_QUERY_BPF:
      return query_programs(event, argument);
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
