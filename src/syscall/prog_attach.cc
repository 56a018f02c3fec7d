// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "syscall/attach.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;
using namespace abi::attach_flag;

constexpr std::uint32_t kOfCgroups = kAllowOverride | kAllowMulti | kReplace | kPreorder;
constexpr std::uint32_t kOfMprog = kReplace | kBefore | kAfter | kId | kLink;

Result<void> check_flags(const abi::AttachAttr& attr, P type) {
  if (type == P::kSchedCls) {
    if ((attr.attach_flags & ~kOfMprog) != 0) return fail(EINVAL);
  } else if (is_of_cgroups(type) || type == P::kLsm) {
    if ((attr.attach_flags & ~(kOfCgroups | kOfMprog)) != 0) return fail(EINVAL);
  } else if ((attr.attach_flags & ~kOfCgroups) != 0 || attr.relative_fd != 0 || attr.expected_revision != 0) {
    return fail(EINVAL);
  }
  return {};
}

Result<void> attach_to_cgroup(const Call& call, const verifier::Program& program) {
  const abi::AttachAttr& attr = call.attr.attach;
  const hook::Key key = TRY(cgroup_key(call, attr.target_fd, attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EBADF));
  std::uint32_t replaced = 0;
  if ((attr.attach_flags & kAllowMulti) != 0 && (attr.attach_flags & kReplace) != 0) {
    const auto type = static_cast<P>(program.attributes().type);
    replaced = TRY(program_of(call, attr.replace_bpf_fd, type))->id();
  }
  const hook::Request request{attr.attach_flags, attr.expected_revision,
                              cgroup_anchor(call, attr.relative_fd, attr.attach_flags, false),
                              hook::above_allows(hook.lists_above())};
  return hook.edit(
      [&](hook::List& list) { return cgroup_attach(list, {program.id(), 0}, replaced, request); });
}

Result<void> attach_to_device(const Call& call, const verifier::Program& program) {
  const abi::AttachAttr& attr = call.attr.attach;
  hook::Hook& hook = *TRY(hook_at(call, device_key(attr.target_ifindex, attr.attach_type), ENODEV));
  std::uint32_t replaced = 0;
  if ((attr.attach_flags & kReplace) != 0)
    replaced = TRY(program_of(call, attr.replace_bpf_fd, P::kSchedCls))->id();
  const hook::Request request{
      attr.attach_flags, attr.expected_revision,
      mprog_anchor(call, attr.relative_fd, attr.attach_flags & ~kReplace, P::kSchedCls)};
  return hook.edit(
      [&](hook::List& list) { return mprog_attach(list, {program.id(), 0}, replaced, request); });
}

Result<void> attach_to_netns(const Call& call, const verifier::Program& program) {
  const abi::AttachAttr& attr = call.attr.attach;
  if (attr.target_fd != 0 || attr.attach_flags != 0 || attr.replace_bpf_fd != 0) return fail(EINVAL);
  const hook::Key key = TRY(own_netns_key(attr.attach_type));
  hook::Hook& hook = *TRY(hook_at(call, key, EINVAL));
  return hook.edit([&](hook::List& list) -> Result<void> {
    if (!list.members.empty() && list.members.front().link_id != 0) return fail(EEXIST);
    if (!list.members.empty() && list.members.front().program_id == program.id()) return fail(EINVAL);
    list.members = {{program.id(), 0, 0, hook::kNoPlace}};
    return {};
  });
}

}  // namespace

Result<long> prog_attach(const Call& call) {
  const abi::AttachAttr& attr = call.attr.attach;
  const P type = program_type_of(attr.attach_type);
  if (type == P::kUnspec) return fail(EINVAL);
  TRY(check_flags(attr, type));
  const verifier::Program& program = *TRY(program_of(call, attr.attach_bpf_fd, type));
  TRY(check_attach_type(program, attr.attach_type));
  const auto expected = static_cast<A>(program.attributes().expected_attach_type);
  if (is_of_cgroups(type) || (type == P::kLsm && expected == A::kLsmCgroup))
    TRY(attach_to_cgroup(call, program));
  else if (type == P::kSchedCls)
    TRY(attach_to_device(call, program));
  else if (type == P::kFlowDissector)
    TRY(attach_to_netns(call, program));
  else
    return fail(EINVAL);
  return 0;
}

}  // namespace portolan::syscall
