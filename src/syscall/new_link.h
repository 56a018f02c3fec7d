// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "syscall/attach.h"

namespace portolan::syscall {

// A link of the program to the hook, attached as `change` puts it into the list; the caller's fd.
using AddLink = std::function<Result<void>(hook::List& list, hook::Pair added)>;
Result<long> create_link(const Call& call, verifier::Program& program, hook::Hook& hook,
                         const hook::Link::Attributes& attributes, const AddLink& add);
// The same to the hooks of all places, one after the other. E2BIG; ENOENT, ENODEV: a host has just gone.
Result<long> create_link_to_places(const Call& call, verifier::Program& program,
                                   const hook::Link::Attributes& attributes,
                                   std::span<const hook::Link::Place> places, std::string_view path = {});

// Links of programs that name themselves where they belong. `tracepoint` 0: the program's own, by BTF.
Result<long> link_raw_tracepoint(const Call& call, verifier::Program& program, std::uint64_t tracepoint,
                                 std::uint64_t cookie);
// Of a function: of the kernel that the host declares, or of a program.
Result<long> link_function(const Call& call, verifier::Program& program, std::uint32_t attach_type,
                           std::uint32_t target_fd, std::uint32_t target_btf_id, std::uint64_t cookie);

// To a perf event, by the attr's fd.
Result<long> link_perf_event(const Call& call, verifier::Program& program);

// To probes of many functions, and to uprobes of many places of a file.
Result<long> link_kprobe_multi(const Call& call, verifier::Program& program);
Result<long> link_uprobe_multi(const Call& call, verifier::Program& program);

// Of a program of type tracing that is for an iterator.
Result<long> link_iterator(const Call& call, verifier::Program& program);

}  // namespace portolan::syscall
