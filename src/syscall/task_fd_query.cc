// SPDX-License-Identifier: Apache-2.0
// What an fd of a process attaches: a raw tracepoint's link, or a perf event.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/sys.h"
#include "hook/probe_event.h"
#include "hook/probed_functions.h"
#include "syscall/attach.h"

namespace portolan::syscall {
namespace {

// BPF_FD_TYPE_*
enum class FdType : std::uint32_t { kRawTracepoint, kTracepoint, kKprobe, kKretprobe, kUprobe, kUretprobe };

struct Answer {
  std::uint32_t program_id;
  FdType type;
  std::string name;
  std::uint64_t offset = 0, address = 0;
};

// ENOENT: there is no such process; EBADF: it has no such fd; kEnotsupp: it is of nothing of ours.
Result<UniqueFd> open_fd_of(std::uint32_t process, std::uint32_t fd) {
  const std::string directory = fmt::format("/proc/{}", process);
  struct ::stat status{};
  if (!sys::fstatat(AT_FDCWD, directory.c_str(), status, 0)) return fail(ENOENT);
  const std::string path = fmt::format("{}/fd/{}", directory, fd);
  const auto there = sys::fstatat(AT_FDCWD, path.c_str(), status, 0);
  if (!there) return fail(there.error().value == ENOENT ? EBADF : EPERM);
  if (!S_ISREG(status.st_mode)) return fail(kEnotsupp);  // to open it might do something
  const auto opened = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (!opened) return fail(opened.error().value == ENOENT ? EBADF : EPERM);
  return UniqueFd(*opened);
}

Result<Answer> answer_of(const hook::Link& link) {
  if (link.attributes().type != abi::LinkType::kRawTracepoint) return fail(kEnotsupp);
  return Answer{link.program_id(), FdType::kRawTracepoint, link.attributes().key.name};
}

// bpf_get_perf_event_info. ENOENT: nothing is attached.
Result<Answer> answer_of(const map::PerfEvent& event) {
  if (event.spec().hook_id == 0) return fail(ENOENT);
  const Result<hook::Hook*> hook = hook::ProbeEvent::hook_of(event);
  if (!hook) return fail(ENOENT);
  const hook::Key& key = (*hook)->key();
  for (const hook::Member& member : (*hook)->list().members) {
    if (member.flags != event.id()) continue;
    if (key.point == hook::Point::kTraceEvent)
      return Answer{member.program_id, FdType::kTracepoint, hook::event_name(key)};
    const bool is_return = key.attach_type == hook::kProbeReturn;
    if (key.point == hook::Point::kUprobe)
      return Answer{member.program_id, is_return ? FdType::kUretprobe : FdType::kUprobe, (*hook)->path(),
                    hook::offset_of(key)};
    return Answer{member.program_id, is_return ? FdType::kKretprobe : FdType::kKprobe, key.name, 0,
                  hook::address_of(event.runtime(), key)};
  }
  return fail(ENOENT);
}

Result<Answer> answer_of(object::View& view) {
  if (view.kind() == object::Kind::kLink) return answer_of(static_cast<const hook::Link&>(view));
  if (view.kind() == object::Kind::kPerfEvent) return answer_of(static_cast<const map::PerfEvent&>(view));
  return fail(kEnotsupp);
}

// bpf_task_fd_query_copy: the length is without the NUL.
Result<void> copy_out(const Call& call, const Answer& answer) {
  using Attr = abi::TaskFdQueryAttr;
  const Attr& attr = call.attr.task_fd_query;
  const auto length = static_cast<std::uint32_t>(answer.name.size());
  TRY(call.put(offsetof(Attr, buf_len), length));
  const bool is_short = attr.buf_len <= length;
  if (attr.buf_len != 0 && attr.buf != 0) {
    const std::uint32_t shown = std::min(attr.buf_len - 1, length);
    const char end = '\0';
    TRY(call.caller.copy_out(attr.buf, answer.name.data(), shown));
    TRY(call.caller.copy_out(attr.buf + shown, &end, sizeof end));
  }
  TRY(call.put(offsetof(Attr, prog_id), answer.program_id));
  TRY(call.put(offsetof(Attr, fd_type), static_cast<std::uint32_t>(answer.type)));
  TRY(call.put(offsetof(Attr, probe_offset), answer.offset));
  TRY(call.put(offsetof(Attr, probe_addr), answer.address));
  if (attr.buf_len != 0 && attr.buf != 0 && is_short) return fail(ENOSPC);
  return {};
}

}  // namespace

Result<long> task_fd_query(const Call& call) {
  const abi::TaskFdQueryAttr& attr = call.attr.task_fd_query;
  if (attr.flags != 0) return fail(EINVAL);
  const UniqueFd fd = TRY(open_fd_of(attr.pid, attr.fd));
  const auto target = call.runtime.target_of_any_fd(fd.get());
  call.runtime.forget_fd(fd.get());
  if (!target) return fail(kEnotsupp);
  const Answer answer = TRY(answer_of(*target->view));
  TRY(copy_out(call, answer));
  return 0;
}

}  // namespace portolan::syscall
