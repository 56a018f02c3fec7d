// SPDX-License-Identifier: Apache-2.0
// What the commands that attach programs share.
#pragma once
#include "abi/prog_type.h"
#include "hook/link.h"
#include "hook/order.h"
#include "syscall/call.h"
#include "verifier/program.h"

namespace portolan::syscall {

// EBADF, EINVAL.
Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd);
Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd, abi::ProgType type);

// Which programs are attached so (attach_type_to_prog_type); kUnspec: none by these commands.
abi::ProgType program_type_of(std::uint32_t attach_type);
bool is_of_cgroups(abi::ProgType type);
// bpf_prog_attach_check_attach_type: EINVAL.
Result<void> check_attach_type(const verifier::Program& program, std::uint32_t attach_type);

// The hook that a client names. As the kernel has it for what is not there: of a cgroup EBADF, of a network
// namespace EBADF or EINVAL, of a device `missing`.
Result<hook::Hook*> cgroup_hook(const Call& call, std::uint32_t fd, std::uint32_t attach_type);
Result<hook::Hook*> netns_hook(const Call& call, std::uint32_t fd, std::uint32_t attach_type);
// That of the caller's own network namespace. EINVAL: nobody has declared it.
Result<hook::Hook*> own_netns_hook(const Call& call, std::uint32_t attach_type);
Result<hook::Hook*> device_hook(const Call& call, std::uint32_t ifindex, std::uint32_t attach_type,
                                int missing);

// What relative_fd and relative_id name, by the rules of bpf_mprog and of cgroups.
hook::Anchor mprog_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, abi::ProgType type);
hook::Anchor cgroup_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, bool is_for_link);

}  // namespace portolan::syscall
