// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "syscall/new_link.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;
using namespace abi::attach_flag;

hook::Link::Attributes of_type(abi::LinkType type, std::uint32_t attach_type) {
  hook::Link::Attributes attributes;
  attributes.type = type;
  attributes.attach_type = attach_type;
  return attributes;
}

Result<long> link_cgroup(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if ((attr.flags & ~(kId | kBefore | kAfter | kPreorder | kLink)) != 0) return fail(EINVAL);
  const hook::Key key = TRY(cgroup_key(call, attr.target_fd, attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EBADF));
  const hook::Request request{attr.flags | kAllowMulti, attr.cgroup.expected_revision,
                              cgroup_anchor(call, attr.cgroup.relative_fd, attr.flags, true),
                              hook::above_allows(hook.lists_above())};
  return create_link(
      call, program, hook, of_type(abi::LinkType::kCgroup, attr.attach_type),
      [&](hook::List& list, hook::Pair added) { return cgroup_attach(list, added, 0, request); });
}

Result<long> link_tcx(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  hook::Hook& hook = *TRY(hook_at(call, device_key(attr.target_ifindex, attr.attach_type), ENODEV));
  const hook::Request request{attr.flags, attr.tcx.expected_revision,
                              mprog_anchor(call, attr.tcx.relative_fd, attr.flags & ~kReplace, P::kSchedCls)};
  return create_link(
      call, program, hook, of_type(abi::LinkType::kTcx, attr.attach_type),
      [&](hook::List& list, hook::Pair added) { return mprog_attach(list, added, 0, request); });
}

// There is the generic mode only: what a device with no mode of its own has.
Result<void> check_xdp(const verifier::Program& program, std::uint32_t flags, const hook::List& list) {
  constexpr std::uint32_t kGeneric = 1u << 1, kDriver = 1u << 2, kHardware = 1u << 3;  // XDP_FLAGS_*_MODE
  if ((flags & ~(kGeneric | kDriver | kHardware)) != 0) return fail(EINVAL);
  if (__builtin_popcount(flags) > 1) return fail(EINVAL);
  const bool is_generic = (flags & (kDriver | kHardware)) == 0;
  if (is_generic && !list.members.empty()) return fail(EBUSY);
  if (flags == kDriver && !list.members.empty()) return fail(EEXIST);
  const auto attach_type = static_cast<A>(program.attributes().expected_attach_type);
  if (attach_type == A::kXdpDevmap || attach_type == A::kXdpCpumap) return fail(EINVAL);
  if (!is_generic) return fail(EOPNOTSUPP);
  return {};
}

Result<long> link_xdp(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  hook::Hook& hook = *TRY(hook_at(call, device_key(attr.target_ifindex, attr.attach_type), EINVAL));
  return create_link(call, program, hook, of_type(abi::LinkType::kXdp, attr.attach_type),
                     [&](hook::List& list, hook::Pair added) -> Result<void> {
                       TRY(check_xdp(program, attr.flags, list));
                       list.members.push_back({added.program_id, added.link_id, 0, hook::kNoPlace});
                       return {};
                     });
}

Result<long> link_netns(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if (attr.flags != 0) return fail(EINVAL);
  const hook::Key key = TRY(netns_key(call, attr.target_fd, attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EINVAL));
  const std::size_t most =
      static_cast<A>(attr.attach_type) == A::kFlowDissector ? 1 : std::size_t{hook::kMostMembers};
  return create_link(call, program, hook, of_type(abi::LinkType::kNetns, attr.attach_type),
                     [&](hook::List& list, hook::Pair added) -> Result<void> {
                       if (!list.members.empty() && list.members.front().link_id == 0) return fail(EEXIST);
                       if (list.members.size() >= most) return fail(E2BIG);
                       list.members.push_back({added.program_id, added.link_id, 0, hook::kNoPlace});
                       return {};
                     });
}

// bpf_nf_check_pf_and_hooks. First and last are the kernel's own, and a packet is whole only behind those
// that put its fragments together.
Result<void> check_netfilter(const abi::link_create::Netfilter& asked) {
  constexpr std::uint32_t kIpv4 = 2, kIpv6 = 10, kHooks = 5;  // NFPROTO_*, NF_INET_NUMHOOKS
  constexpr std::int32_t kDefragment = -400;                  // NF_IP_PRI_CONNTRACK_DEFRAG
  if (asked.pf != kIpv4 && asked.pf != kIpv6) return fail(EAFNOSUPPORT);
  if (asked.hooknum >= kHooks) return fail(EPROTO);
  if ((asked.flags & ~abi::link_flag::kNetfilterIpDefrag) != 0) return fail(EOPNOTSUPP);
  const bool is_between = asked.priority != INT32_MIN && asked.priority != INT32_MAX;
  if (!is_between || (asked.flags != 0 && asked.priority <= kDefragment)) return fail(ERANGE);
  return {};
}

Result<long> link_netfilter(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if (attr.flags != 0) return fail(EINVAL);
  TRY(check_netfilter(attr.netfilter));
  const hook::Key netns = TRY(own_netns_key(attr.attach_type));
  const hook::Key key =
      hook::of_netfilter(netns.device, netns.number, attr.netfilter.pf, attr.netfilter.hooknum);
  hook::Hook& hook = *TRY(hook_at(call, key, EINVAL));
  hook::Link::Attributes attributes = of_type(abi::LinkType::kNetfilter, attr.attach_type);
  attributes.netfilter = attr.netfilter;
  return create_link(call, program, hook, attributes, [&](hook::List& list, hook::Pair added) {
    return netfilter_attach(list, added, attr.netfilter.priority);
  });
}

Result<long> link_kprobe(const Call& call, verifier::Program& program) {
  switch (static_cast<A>(call.attr.link_create.attach_type)) {
    case A::kPerfEvent:
      return link_perf_event(call, program);
    case A::kTraceKprobeMulti:
    case A::kTraceKprobeSession:
      return link_kprobe_multi(call, program);
    case A::kTraceUprobeMulti:
    case A::kTraceUprobeSession:
      return link_uprobe_multi(call, program);
    default:
      return fail(EINVAL);
  }
}

Result<long> link_by_btf(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if (attr.attach_type != program.attributes().expected_attach_type) return fail(EINVAL);
  switch (static_cast<A>(attr.attach_type)) {
    case A::kTraceRawTp:
      return link_raw_tracepoint(call, program, 0, attr.tracing.cookie);
    case A::kTraceIter:
      return link_iterator(call, program);
    case A::kLsmCgroup:
      return link_cgroup(call, program);
    default:
      return link_function(call, program, attr.attach_type, attr.target_fd, attr.tracing.target_btf_id,
                           attr.tracing.cookie);
  }
}

}  // namespace

Result<long> link_create(const Call& call) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  const auto attach_type = static_cast<A>(attr.attach_type);
  if (attach_type == A::kStructOps) {
    (void)TRY(call.target(attr.map_fd, object::Kind::kMap));
    return fail(EINVAL);  // no map is of struct_ops
  }
  verifier::Program& program = *TRY(program_of(call, attr.prog_fd));
  TRY(check_attach_type(program, attr.attach_type));
  switch (static_cast<P>(program.attributes().type)) {
    case P::kCgroupSkb:
    case P::kCgroupSock:
    case P::kCgroupSockAddr:
    case P::kSockOps:
    case P::kCgroupDevice:
    case P::kCgroupSysctl:
    case P::kCgroupSockopt:
      return link_cgroup(call, program);
    case P::kExt:
      return link_function(call, program, attr.attach_type, attr.target_fd, attr.tracing.target_btf_id,
                           attr.tracing.cookie);
    case P::kLsm:
    case P::kTracing:
      return link_by_btf(call, program);
    case P::kFlowDissector:
    case P::kSkLookup:
      return link_netns(call, program);
    case P::kXdp:
      return link_xdp(call, program);
    case P::kSchedCls:
      return link_tcx(call, program);
    case P::kNetfilter:
      return link_netfilter(call, program);
    case P::kPerfEvent:
    case P::kTracepoint:
      return link_perf_event(call, program);
    case P::kKprobe:
      return link_kprobe(call, program);
    default:
      return fail(EINVAL);
  }
}

}  // namespace portolan::syscall
