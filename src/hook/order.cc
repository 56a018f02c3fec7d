// SPDX-License-Identifier: Apache-2.0
#include "hook/order.h"

#include <algorithm>
#include <optional>

#include "abi/prog_flags.h"
#include "hook/attach_types.h"

namespace portolan::hook {
namespace {

using namespace abi::attach_flag;
using A = abi::AttachType;
using P = abi::ProgType;

bool is(std::uint32_t attach_type, A type) { return attach_type == static_cast<std::uint32_t>(type); }

}  // namespace

bool fits(const Key& key, const verifier::Program& program) {
  const auto type = static_cast<P>(program.attributes().type);
  const std::uint32_t attach_type = program.attributes().expected_attach_type;
  switch (key.point) {
    case Point::kTracepoint:
      return type == P::kRawTracepoint || type == P::kRawTracepointWritable ||
             (type == P::kTracing && is(attach_type, A::kTraceRawTp));
    case Point::kFunction:
      return attach_type == key.attach_type && (type == P::kTracing || type == P::kLsm);
    case Point::kDevice:
    case Point::kCgroup:
    case Point::kNetns:
      return type == program_type_of(key.attach_type);
    case Point::kNetfilter:
      return type == P::kNetfilter;
    case Point::kProbe:
    case Point::kUprobe:
      return type == P::kKprobe;
    case Point::kTraceEvent:
      return type == P::kTracepoint;
    case Point::kProgram:
      return type == P::kExt ||
             (type == P::kTracing && (is(attach_type, A::kTraceFentry) || is(attach_type, A::kTraceFexit)));
    case Point::kIterator:
      return false;
  }
  return false;
}

bool is_session(const verifier::Program& program) {
  const std::uint32_t attach_type = program.attributes().expected_attach_type;
  return static_cast<P>(program.attributes().type) == P::kKprobe &&
         (is(attach_type, A::kTraceKprobeSession) || is(attach_type, A::kTraceUprobeSession));
}

std::vector<Member> effective_members(std::span<const List> lists) {
  std::vector<Member> first, rest;
  for (const List& list : lists) {
    if (!(first.empty() && rest.empty()) && (list.flags & kAllowMulti) == 0) continue;
    std::vector<Member> preordered;
    for (const Member& member : list.members)
      ((member.flags & kPreorder) != 0 ? preordered : rest).push_back(member);
    first.insert(first.begin(), preordered.begin(), preordered.end());
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

bool above_allows(std::span<const List> above) {
  for (const List& list : above) {
    if ((list.flags & kAllowMulti) != 0) return true;
    if (!list.members.empty()) return (list.flags & kAllowOverride) != 0;
  }
  return true;
}

void forget_settings(List& list, const Key& key) {
  list.flags = 0;
  if (key.point == Point::kDevice) list.revision = 1;
}

namespace {

int length(const List& list) { return static_cast<int>(list.members.size()); }

// Positions are those of bpf_mprog_pos_*: -1 is before the first, the list's length behind the last.
Result<int> position_of(const List& list, Pair pair) {
  for (int i = 0; i < length(list); ++i) {
    const Member& member = list.members[static_cast<std::size_t>(i)];
    if (member.program_id != pair.program_id) continue;
    if (member.link_id != pair.link_id) return fail(EBUSY);
    return i;
  }
  return fail(ENOENT);
}

Result<int> next_to(const List& list, Pair anchor, int step, int without_anchor) {
  if (anchor.program_id == 0) return without_anchor;
  for (int i = 0; i < length(list); ++i) {
    const Member& member = list.members[static_cast<std::size_t>(i)];
    if (member.program_id == anchor.program_id && (anchor.link_id == 0 || anchor.link_id == member.link_id))
      return i + step;
  }
  return fail(ENOENT);
}

// The position that each rule of a request gives, which must be the same; {}: no rule says one.
class Agreement {
 public:
  Result<void> say(Result<int> position) {
    if (!position) return fail(position.error());
    if (said_ && *said_ != *position) return fail(ERANGE);
    said_ = *position;
    return {};
  }
  std::optional<int> said() const { return said_; }

 private:
  std::optional<int> said_;
};

// As the rules of a request agree; the end of the list if there is none.
Result<int> agreed_position(const List& list, Agreement& agreement, const Request& request, Pair anchor) {
  if ((request.flags & kBefore) != 0) TRY(agreement.say(next_to(list, anchor, -1, -1)));
  if ((request.flags & kAfter) != 0) TRY(agreement.say(next_to(list, anchor, +1, length(list))));
  if (agreement.said()) {
    if (*agreement.said() >= static_cast<int>(kMostMembers)) return fail(ERANGE);
    return *agreement.said();
  }
  if (anchor.program_id != 0 || request.flags != 0) return fail(EINVAL);
  if (length(list) >= static_cast<int>(kMostMembers)) return fail(ERANGE);
  return length(list);
}

}  // namespace

Result<void> mprog_attach(List& list, Pair added, std::uint32_t replaced, const Request& request) {
  if (request.expected_revision != 0 && request.expected_revision != list.revision) return fail(ESTALE);
  for (const Member& member : list.members)
    if (member.program_id == added.program_id) return fail(EEXIST);
  Pair anchor;
  TRY(request.anchor(&anchor));
  Agreement agreement;
  const bool replaces = (request.flags & kReplace) != 0;
  if (replaces)
    TRY(agreement.say(position_of(list, {replaced, added.link_id})));
  else if (length(list) == static_cast<int>(kMostMembers))
    return fail(ERANGE);
  int position = TRY(agreed_position(list, agreement, request, anchor));
  const Member member{added.program_id, added.link_id, 0, kNoPlace};
  if (replaces) {
    list.members[static_cast<std::size_t>(position)] = member;
  } else {
    if (position != length(list) && (request.flags & kBefore) != 0) ++position;
    list.members.insert(list.members.begin() + position, member);
  }
  ++list.revision;
  return {};
}

Result<void> mprog_detach(List& list, Pair removed, const Request& request) {
  if ((request.flags & kReplace) != 0) return fail(EINVAL);
  if (request.expected_revision != 0 && request.expected_revision != list.revision) return fail(ESTALE);
  if (list.members.empty()) return fail(ENOENT);
  Pair anchor;
  TRY(request.anchor(&anchor));
  Agreement agreement;
  if (removed.program_id != 0) TRY(agreement.say(position_of(list, removed)));
  int position = TRY(agreed_position(list, agreement, request, anchor));
  position = std::clamp(position, 0, length(list) - 1);
  const auto at = list.members.begin() + position;
  if (at->link_id != 0 && removed.link_id == 0) return fail(EBUSY);
  list.members.erase(at);
  ++list.revision;
  return {};
}

namespace {

// Where BPF_F_BEFORE or BPF_F_AFTER put a new member of a cgroup's list: before or behind that one.
Result<std::size_t> place_in_cgroup(const List& list, const Request& request) {
  const bool is_before = (request.flags & kBefore) != 0, is_after = (request.flags & kAfter) != 0;
  if (is_before && is_after && !list.members.empty()) return fail(EINVAL);
  Pair anchor;
  TRY(request.anchor(&anchor));
  if (anchor.program_id == 0) return is_before ? 0 : list.members.size();
  for (std::size_t i = 0; i < list.members.size(); ++i) {
    const Member& member = list.members[i];
    const bool is_it = anchor.link_id != 0 ? member.link_id == anchor.link_id
                                           : member.link_id == 0 && member.program_id == anchor.program_id;
    if (!is_it) continue;
    if ((member.flags & kPreorder) != (request.flags & kPreorder)) return fail(EINVAL);
    return is_after ? i + 1 : i;
  }
  return fail(ENOENT);
}

// Who has to go for the new one: nobody, or the member at that index.
Result<std::optional<std::size_t>> replaced_in_cgroup(const List& list, Pair added, std::uint32_t replaced,
                                                      bool allows_multi) {
  if (!allows_multi) return list.members.empty() ? std::optional<std::size_t>() : 0;
  for (const Member& member : list.members)
    if (added.link_id == 0 && member.link_id == 0 && member.program_id == added.program_id &&
        added.program_id != replaced)
      return fail(EINVAL);
  if (replaced == 0) return std::nullopt;
  for (std::size_t i = 0; i < list.members.size(); ++i)
    if (list.members[i].link_id == 0 && list.members[i].program_id == replaced) return i;
  return fail(ENOENT);
}

}  // namespace

Result<void> cgroup_attach(List& list, Pair added, std::uint32_t replaced, const Request& request) {
  const std::uint32_t saved = request.flags & (kAllowOverride | kAllowMulti);
  const bool allows_multi = (request.flags & kAllowMulti) != 0, replaces = (request.flags & kReplace) != 0;
  if ((allows_multi && (request.flags & kAllowOverride) != 0) || (replaces && !allows_multi))
    return fail(EINVAL);
  if (replaces && (request.flags & (kBefore | kAfter)) != 0) return fail(EINVAL);
  if (replaces != (replaced != 0)) return fail(EINVAL);
  if (request.expected_revision != 0 && request.expected_revision != list.revision) return fail(ESTALE);
  if (!request.above_allows) return fail(EPERM);
  if (!list.members.empty() && list.flags != saved) return fail(EPERM);
  if (list.members.size() >= kMostMembers) return fail(E2BIG);
  const auto gone = TRY(replaced_in_cgroup(list, added, replaced, allows_multi));
  const Member member{added.program_id, added.link_id, request.flags & kPreorder, kNoPlace};
  if (gone) {
    list.members[*gone] = member;
  } else {
    const std::size_t place = TRY(place_in_cgroup(list, request));
    list.members.insert(list.members.begin() + static_cast<std::ptrdiff_t>(place), member);
  }
  list.flags = saved;
  ++list.revision;
  return {};
}

Result<void> cgroup_detach(List& list, std::uint32_t program_id, std::uint64_t expected_revision) {
  if (expected_revision != 0 && expected_revision != list.revision) return fail(ESTALE);
  const bool allows_multi = (list.flags & kAllowMulti) != 0;
  // Those that are alone may be detached without being named.
  if (!allows_multi && list.members.empty()) return fail(ENOENT);
  if (allows_multi && program_id == 0) return fail(EINVAL);
  auto at = list.members.begin();
  if (allows_multi)
    at = std::find_if(at, list.members.end(), [&](const Member& member) {
      return member.link_id == 0 && member.program_id == program_id;
    });
  if (at == list.members.end()) return fail(ENOENT);
  list.members.erase(at);
  ++list.revision;
  return {};
}

Result<void> netfilter_attach(List& list, Pair added, std::int32_t priority) {
  const auto priority_of = [](const Member& member) { return static_cast<std::int32_t>(member.flags); };
  auto at = list.members.begin();
  while (at != list.members.end() && priority_of(*at) < priority) ++at;
  if (at != list.members.end() && priority_of(*at) == priority) return fail(EBUSY);
  list.members.insert(at, {added.program_id, added.link_id, static_cast<std::uint32_t>(priority), kNoPlace});
  ++list.revision;
  return {};
}

Result<void> place_attach(List& list, Pair added, std::uint32_t place) {
  if (list.members.size() >= kMostMembers) return fail(E2BIG);
  list.members.insert(list.members.begin(),
                      {added.program_id, added.link_id, kPlaceOfLink | place, kNoPlace});
  return {};
}

}  // namespace portolan::hook
