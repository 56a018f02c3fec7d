// SPDX-License-Identifier: Apache-2.0
// Who may be attached where, in which order: the kernel's rules for each kind of hook, on a list.
#pragma once
#include "hook/hook.h"

namespace portolan::hook {

// Whether a program of its type and attach type can run at the hook.
bool fits(const Key& key, const verifier::Program& program);
// Whether it sees both ends of a call, of which the first says whether there is to be a second.
bool is_session(const verifier::Program& program);

// The members that run at a hook, in order: `lists` are its own, and of a cgroup those of the cgroups above,
// the nearest first (compute_effective_progs). From the nearest that is not empty on, a list counts if it has
// BPF_F_ALLOW_MULTI; those with BPF_F_PREORDER run first, the farthest list's before the others, and then all
// else, the nearest list's first.
std::vector<Member> effective_members(std::span<const List> lists);
// Whether the cgroups above let anything be attached (hierarchy_allows_attach).
bool above_allows(std::span<const List> above);

// What is due when the last member has left: a list of TCX programs is freed and begins anew, a cgroup
// forgets its flags.
void forget_settings(List& list, const Key& key);

// A program, and the link through which it is attached (0: none); neither: {}.
struct Pair {
  std::uint32_t program_id = 0;
  std::uint32_t link_id = 0;
};
// Looks up what relative_fd or relative_id names, if anything, once the rules want it. As the kernel: EBADF,
// EINVAL, ENOENT.
using Anchor = std::function<Result<void>(Pair* found)>;

// How a command wants a program attached or detached.
struct Request {
  std::uint32_t flags = 0;  // BPF_F_*
  std::uint64_t expected_revision = 0;
  Anchor anchor;
  bool above_allows = true;  // of cgroups
};

// bpf_mprog: lists whose members are placed before or after others. `replaced` counts with BPF_F_REPLACE.
// ESTALE, EEXIST, ENOENT, EBUSY, ERANGE, EINVAL.
Result<void> mprog_attach(List& list, Pair added, std::uint32_t replaced, const Request& request);
Result<void> mprog_detach(List& list, Pair removed, const Request& request);

// Cgroups. `replaced` is a program that is attached by itself, 0: none. EINVAL, ESTALE, EPERM, E2BIG, ENOENT.
Result<void> cgroup_attach(List& list, Pair added, std::uint32_t replaced, const Request& request);
Result<void> cgroup_detach(List& list, std::uint32_t program_id, std::uint64_t expected_revision);

// Netfilter: by rising priority, of which each is there once. EBUSY.
Result<void> netfilter_attach(List& list, Pair added, std::int32_t priority);

// Probes, by a link with many places, of which this is that one: the newest runs first, at both ends. E2BIG.
Result<void> place_attach(List& list, Pair added, std::uint32_t place);

}  // namespace portolan::hook
