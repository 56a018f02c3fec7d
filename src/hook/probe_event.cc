// SPDX-License-Identifier: Apache-2.0
// A member of such a hook's list has the id of its event for flags, so that nothing is brought twice.
#include "hook/probe_event.h"

#include <algorithm>

#include "abi/prog_flags.h"
#include "hook/order.h"

namespace portolan::hook {

using P = abi::ProgType;

Result<Hook*> ProbeEvent::hook_of(const map::PerfEvent& event) {
  const std::uint32_t id = event.spec().hook_id;
  event.runtime().settle(object::Kind::kHook, id);
  const auto view = event.runtime().view_by_id(object::Kind::kHook, id);
  if (!view) return fail(ENODEV);
  return static_cast<Hook*>(*view);
}

std::uint32_t ProbeEvent::program_id(const object::View& event) {
  const auto places = object::Runtime::edge_places(event);
  return places.empty() ? 0
                        : static_cast<std::uint32_t>(places[0].load_acquire());  // pairs with replace_edge
}

std::uint32_t ProbeEvent::process(const map::PerfEvent& event) {
  return static_cast<std::uint32_t>(std::max(event.spec().thread, 0));
}

void ProbeEvent::release_uref() {
  if (spec().hook_id == 0) return;
  const Result<Hook*> there = hook_of(*this);
  if (!there) return;
  const auto is_ours = [this](const Member& member) { return member.event_id == id(); };
  if (std::ranges::none_of((*there)->list().members, is_ours)) return;
  (void)(*there)->edit([&](List& list) -> Result<void> {
    std::erase_if(list.members, is_ours);
    return {};
  });
}

Result<void> check_event_program(const Hook& hook, const verifier::Program& program) {
  const auto& attributes = program.attributes();
  if (!fits(hook.key(), program)) return fail(EINVAL);
  const bool is_sleepable = (attributes.flags & abi::prog_flag::kSleepable) != 0;
  if (is_sleepable && hook.key().point != Point::kUprobe) return fail(EINVAL);
  const bool is_beyond =
      hook.key().point == Point::kTraceEvent && attributes.max_context_offset > hook.bytes();
  if (is_beyond) return fail(EACCES);
  return {};
}

Result<void> event_attach(List& list, const Key& key, std::uint32_t event_id, std::uint32_t program_id,
                          std::uint32_t link_id) {
  for (const Member& member : list.members) {
    if (member.flags == event_id) return fail(EEXIST);
    if (key.point == Point::kTraceEvent && member.program_id == program_id) return fail(EEXIST);
  }
  if (list.members.size() >= kMostMembers) return fail(E2BIG);
  const bool is_first =
      key.point == Point::kUprobe || (key.point == Point::kProbe && key.attach_type == kProbeEntry);
  list.members.insert(is_first ? list.members.begin() : list.members.end(),
                      {program_id, link_id, event_id, kNoPlace, link_id == 0 ? event_id : 0});
  return {};
}

Result<void> attach_by_event(Hook& hook, map::PerfEvent& event, std::uint32_t program_id) {
  return hook.edit([&](List& list) -> Result<void> {
    TRY(event_attach(list, hook.key(), event.id(), program_id, 0));
    TRY(event.runtime().replace_edge(event, 0, {object::Kind::kProg, program_id}));
    return {};
  });
}

}  // namespace portolan::hook
