// SPDX-License-Identifier: Apache-2.0
// What the commands that attach programs share.
#pragma once
#include "abi/prog_type.h"
#include "hook/attach_types.h"
#include "hook/link.h"
#include "hook/order.h"
#include "syscall/call.h"
#include "verifier/program.h"

namespace portolan::syscall {

using hook::is_of_cgroups;
using hook::program_type_of;

// EBADF, EINVAL.
Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd);
Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd, abi::ProgType type);

// bpf_prog_attach_check_attach_type: EINVAL.
Result<void> check_attach_type(const verifier::Program& program, std::uint32_t attach_type);

// What a client names. EBADF. Of the caller's own namespace: without an fd.
Result<hook::Key> cgroup_key(const Call& call, std::uint32_t fd, std::uint32_t attach_type);
Result<hook::Key> netns_key(const Call& call, std::uint32_t fd, std::uint32_t attach_type);
Result<hook::Key> own_netns_key(std::uint32_t attach_type);
hook::Key device_key(std::uint32_t ifindex, std::uint32_t attach_type);

// The hook of that key. Where nobody has declared one for any attach type, `missing`: what the kernel says of
// what is no cgroup (EBADF), namespace (EINVAL) or device; EINVAL where it is declared for other attach types
// only.
Result<hook::Hook*> hook_at(const Call& call, const hook::Key& key, int missing);
// What is attached there; nothing where it is declared for other attach types only.
Result<hook::List> list_at(const Call& call, const hook::Key& key, int missing);

// What relative_fd and relative_id name, by the rules of bpf_mprog and of cgroups.
hook::Anchor mprog_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, abi::ProgType type);
hook::Anchor cgroup_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, bool is_for_link);

}  // namespace portolan::syscall
