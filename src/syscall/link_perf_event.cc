// SPDX-License-Identifier: Apache-2.0
// Programs at perf events: of probes and tracepoints that a host has declared.
#include "hook/probe_event.h"
#include "syscall/new_link.h"
#include "syscall/perf_event_programs.h"

namespace portolan::syscall {
namespace {

// perf_event_get. EBADF: it is no event, or not one of ours.
Result<map::PerfEvent*> event_of(const Call& call, std::uint32_t fd) {
  const Result<object::Target> target = call.target(fd, object::Kind::kPerfEvent);
  if (!target) return fail(EBADF);
  return static_cast<map::PerfEvent*>(target->view);
}

// The hook that takes the program for the event. EINVAL: counters and rings take none.
Result<hook::Hook*> hook_for(const map::PerfEvent& event, const verifier::Program& program) {
  if (event.spec().hook_id == 0) return fail(EINVAL);
  hook::Hook* const hook = TRY(hook::ProbeEvent::hook_of(event));
  TRY(hook::check_event_program(*hook, program));
  hook->settle_links();
  return hook;
}

}  // namespace

Result<long> link_perf_event(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if (attr.flags != 0) return fail(EINVAL);
  const map::PerfEvent& event = *TRY(event_of(call, attr.target_fd));
  hook::Hook& hook = *TRY(hook_for(event, program));
  hook::Link::Attributes attributes;
  attributes.type = abi::LinkType::kPerfEvent;
  attributes.attach_type = attr.attach_type;
  attributes.cookie = attr.perf_event.bpf_cookie;
  attributes.event_id = event.id();
  attributes.process = hook::ProbeEvent::process(event);
  return create_link(call, program, hook, attributes, [&](hook::List& list, hook::Pair added) {
    return event_attach(list, hook.key(), event.id(), added.program_id, added.link_id);
  });
}

Result<void> set_program_of_event(object::Runtime& runtime, map::PerfEvent& event, int program_fd) {
  const object::Target target = TRY(runtime.target_of_fd(program_fd, object::Kind::kProg));
  const auto& program = static_cast<const verifier::Program&>(*target.view);
  hook::Hook& hook = *TRY(hook_for(event, program));
  return attach_by_event(hook, event, program.id());
}

Result<std::vector<std::uint32_t>> programs_of_event(const map::PerfEvent& event) {
  if (event.spec().hook_id == 0) return fail(EINVAL);
  hook::Hook& hook = *TRY(hook::ProbeEvent::hook_of(event));
  if (hook.key().point != hook::Point::kTraceEvent) return fail(EINVAL);
  hook.settle_links();
  std::vector<std::uint32_t> ids;
  for (const hook::Member& member : hook.list().members) ids.push_back(member.program_id);
  return ids;
}

}  // namespace portolan::syscall
