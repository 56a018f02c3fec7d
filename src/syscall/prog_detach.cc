// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "syscall/attach.h"

namespace portolan::syscall {
namespace {

using P = abi::ProgType;
using namespace abi::attach_flag;

Result<void> detach_from_device(const Call& call) {
  const abi::AttachAttr& attr = call.attr.attach;
  if ((attr.attach_flags & ~(kReplace | kBefore | kAfter | kId | kLink)) != 0) return fail(EINVAL);
  hook::Pair removed;
  if (attr.attach_bpf_fd != 0)
    removed.program_id = TRY(program_of(call, attr.attach_bpf_fd, P::kSchedCls))->id();
  hook::Hook& hook = *TRY(hook_at(call, device_key(attr.target_ifindex, attr.attach_type), ENODEV));
  const P type = removed.program_id != 0 ? P::kSchedCls : P::kUnspec;
  const hook::Request request{attr.attach_flags, attr.expected_revision,
                              mprog_anchor(call, attr.relative_fd, attr.attach_flags, type)};
  return hook.edit([&](hook::List& list) -> Result<void> {
    if (list.members.empty()) return fail(ENOENT);
    TRY(mprog_detach(list, removed, request));
    if (list.members.empty()) forget_settings(list, hook.key());
    return {};
  });
}

Result<void> detach_from_cgroup(const Call& call, P type) {
  const abi::AttachAttr& attr = call.attr.attach;
  if (attr.attach_flags != 0 || attr.relative_fd != 0) return fail(EINVAL);
  const hook::Key key = TRY(cgroup_key(call, attr.target_fd, attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EBADF));
  // A program that cannot be named is none: those that are alone need no name.
  const auto program = program_of(call, attr.attach_bpf_fd, type);
  return hook.edit([&](hook::List& list) -> Result<void> {
    TRY(cgroup_detach(list, program ? (*program)->id() : 0, attr.expected_revision));
    if (list.members.empty()) forget_settings(list, hook.key());
    return {};
  });
}

Result<void> detach_from_netns(const Call& call) {
  const abi::AttachAttr& attr = call.attr.attach;
  if (attr.attach_flags != 0 || attr.relative_fd != 0 || attr.expected_revision != 0) return fail(EINVAL);
  if (attr.target_fd != 0) return fail(EINVAL);
  const verifier::Program& program = *TRY(program_of(call, attr.attach_bpf_fd, P::kFlowDissector));
  const hook::Key key = TRY(own_netns_key(attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EINVAL));
  return hook.edit([&](hook::List& list) -> Result<void> {
    if (list.members.empty()) return fail(ENOENT);
    if (list.members.front().link_id != 0) return fail(EINVAL);
    if (list.members.front().program_id != program.id()) return fail(ENOENT);
    list.members.clear();
    return {};
  });
}

}  // namespace

Result<long> prog_detach(const Call& call) {
  const P type = program_type_of(call.attr.attach.attach_type);
  if (type == P::kSchedCls)
    TRY(detach_from_device(call));
  else if (is_of_cgroups(type) || type == P::kLsm)
    TRY(detach_from_cgroup(call, type));
  else if (type == P::kFlowDissector)
    TRY(detach_from_netns(call));
  else
    return fail(EINVAL);
  return 0;
}

}  // namespace portolan::syscall
