// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "syscall/attach.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;

Result<void> numbers_out(const Call& call, std::uint64_t to, const std::vector<std::uint32_t>& numbers,
                         std::size_t count) {
  if (to == 0) return {};
  return call.caller.copy_out(to, numbers.data(), count * sizeof(std::uint32_t));
}

std::vector<std::uint32_t> program_ids(const std::vector<hook::Member>& members) {
  std::vector<std::uint32_t> ids;
  for (const hook::Member& member : members) ids.push_back(member.program_id);
  return ids;
}

// ENOSPC: there are more than the caller has room for; those that fit are there.
struct Shown {
  std::size_t count;
  bool is_cut;
};
Shown shown_of(const abi::QueryAttr& attr, std::size_t there) {
  return {std::min<std::size_t>(attr.count, there), attr.count < there};
}

Result<long> query_device(const Call& call) {
  const abi::QueryAttr& attr = call.attr.query;
  const hook::List list = TRY(list_at(call, device_key(attr.target_ifindex, attr.attach_type), ENODEV));
  if (attr.query_flags != 0 || attr.attach_flags != 0) return fail(EINVAL);
  const auto there = static_cast<std::uint32_t>(list.members.size());
  TRY(call.put(offsetof(abi::QueryAttr, attach_flags), std::uint32_t{0}));
  TRY(call.put(offsetof(abi::QueryAttr, revision), list.revision));
  TRY(call.put(offsetof(abi::QueryAttr, count), there));
  if (attr.count == 0 || attr.prog_ids == 0 || there == 0) return 0;
  const Shown shown = shown_of(attr, there);
  std::vector<std::uint32_t> links;
  for (const hook::Member& member : list.members) links.push_back(member.link_id);
  const std::vector<std::uint32_t> no_flags(there);
  TRY(numbers_out(call, attr.prog_ids, program_ids(list.members), shown.count));
  TRY(numbers_out(call, attr.prog_attach_flags, no_flags, shown.count));
  TRY(numbers_out(call, attr.link_ids, links, shown.count));
  TRY(numbers_out(call, attr.link_attach_flags, no_flags, shown.count));
  if (shown.is_cut) return fail(ENOSPC);
  return 0;
}

Result<long> query_cgroup(const Call& call) {
  const abi::QueryAttr& attr = call.attr.query;
  const hook::Key key = TRY(cgroup_key(call, attr.target_fd, attr.attach_type));
  const hook::List list = TRY(list_at(call, key, EBADF));
  const bool is_effective = (attr.query_flags & abi::query_flag::kEffective) != 0;
  if (is_effective && attr.prog_attach_flags != 0) return fail(EINVAL);
  const std::vector<hook::Member> members =
      is_effective ? effective_members(TRY(hook::Hook::lists_at(call.runtime, key))) : list.members;
  const auto there = static_cast<std::uint32_t>(members.size());
  TRY(call.put(offsetof(abi::QueryAttr, attach_flags), is_effective ? 0 : list.flags));
  TRY(call.put(offsetof(abi::QueryAttr, prog_cnt), there));
  TRY(call.put(offsetof(abi::QueryAttr, revision), is_effective ? 0 : list.revision));
  if (attr.prog_cnt == 0 || attr.prog_ids == 0 || there == 0) return 0;
  const Shown shown = shown_of(attr, there);
  TRY(numbers_out(call, attr.prog_ids, program_ids(members), shown.count));
  TRY(numbers_out(call, attr.prog_attach_flags, std::vector<std::uint32_t>(there, list.flags), shown.count));
  if (shown.is_cut) return fail(ENOSPC);
  return 0;
}

Result<long> query_netns(const Call& call) {
  const abi::QueryAttr& attr = call.attr.query;
  if (attr.query_flags != 0) return fail(EINVAL);
  const hook::Key key = TRY(netns_key(call, attr.target_fd, attr.attach_type));
  const hook::List list = TRY(list_at(call, key, EINVAL));
  const auto there = static_cast<std::uint32_t>(list.members.size());
  TRY(call.put(offsetof(abi::QueryAttr, attach_flags), std::uint32_t{0}));
  TRY(call.put(offsetof(abi::QueryAttr, prog_cnt), there));
  if (attr.prog_cnt == 0 || attr.prog_ids == 0 || there == 0) return 0;
  const Shown shown = shown_of(attr, there);
  TRY(numbers_out(call, attr.prog_ids, program_ids(list.members), shown.count));
  if (shown.is_cut) return fail(ENOSPC);
  return 0;
}

}  // namespace

Result<long> prog_query(const Call& call) {
  const abi::QueryAttr& attr = call.attr.query;
  if ((attr.query_flags & ~abi::query_flag::kEffective) != 0) return fail(EINVAL);
  const P type = program_type_of(attr.attach_type);
  const auto attach_type = static_cast<A>(attr.attach_type);
  if (is_of_cgroups(type) || attach_type == A::kLsmCgroup) return query_cgroup(call);
  if (attach_type == A::kTcxIngress || attach_type == A::kTcxEgress || attach_type == A::kNetkitPrimary ||
      attach_type == A::kNetkitPeer)
    return query_device(call);
  if (type == P::kFlowDissector || type == P::kSkLookup) return query_netns(call);
  return fail(EINVAL);
}

}  // namespace portolan::syscall
