// SPDX-License-Identifier: Apache-2.0
// A perf event of a host's probe or tracepoint: programs are attached to it, by a link or by an ioctl(2) of
// its own, and run when the host comes by.
#pragma once
#include "hook/hook.h"
#include "map/perf_event.h"

namespace portolan::hook {

class ProbeEvent final : public map::PerfEvent {
 public:
  using PerfEvent::PerfEvent;
  // The hook of the event. ENODEV: the host has gone.
  static Result<Hook*> hook_of(const map::PerfEvent& event);
  // Of a view of one: the program that was attached to it by ioctl(2) last; 0: none was.
  static std::uint32_t program_id(const object::View& event);
  // Of one of a uprobe: the process that it is for; 0: for all.
  static std::uint32_t process(const map::PerfEvent& event);
  // That goes with the event.
  void release_uref() override;
};

// Whether the event takes the program (perf_event_set_bpf_prog). EINVAL; EACCES: it reads beyond the record.
Result<void> check_event_program(const Hook& hook, const verifier::Program& program);
// Puts it where it belongs: probes run the newest first, uprobes at both ends, what else runs at the end of a
// function and at tracepoints the oldest. `link_id` 0: by itself. EEXIST: the event has a program already, or
// the tracepoint that one; E2BIG.
Result<void> event_attach(List& list, const Key& key, std::uint32_t event_id, std::uint32_t program_id,
                          std::uint32_t link_id);
// The same by the event itself, which keeps the program. ENODEV: the hook has gone; ENOENT: the event has.
Result<void> attach_by_event(Hook& hook, map::PerfEvent& event, std::uint32_t program_id);

}  // namespace portolan::hook
