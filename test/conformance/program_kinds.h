// SPDX-License-Identifier: Apache-2.0
// Kinds of programs whose rules differ: a type, and a way to be attached.
#pragma once
#include <cstdint>

namespace portolan::conformance {

struct ProgramKind {
  std::uint32_t type;
  const char* name;
  int context_bytes;  // and some more, to see the end
  std::uint32_t flags = 0, attach_type = 0;
  const char* attached = nullptr;  // to what of the kernel's BTF
};
inline constexpr std::uint32_t kSleepable = 16;
// Every type that the kernel has, and each way to be attached that makes a difference.
inline constexpr ProgramKind kProgramKinds[] = {
    {1, "socket_filter", 200},
    {2, "kprobe", 180},
    {3, "sched_cls", 200},
    {4, "sched_act", 200},
    {5, "tracepoint", 32},
    {6, "xdp", 32},
    {6, "xdp devmap", 32, 0, 33},
    {7, "perf_event", 192},
    {8, "cgroup_skb", 200},
    {8, "cgroup_skb egress", 200, 0, 1},
    {9, "cgroup_sock", 88},
    {9, "cgroup_sock create", 88, 0, 2},
    {9, "cgroup_sock bind4", 88, 0, 12},
    {9, "cgroup_sock bind6", 88, 0, 13},
    {9, "cgroup_sock release", 88, 0, 34},
    {10, "lwt_in", 200},
    {11, "lwt_out", 200},
    {12, "lwt_xmit", 200},
    {13, "sock_ops", 232},
    {14, "sk_skb", 200},
    {15, "cgroup_device", 16},
    {16, "sk_msg", 88},
    {17, "raw_tracepoint", 110},
    {18, "cgroup_sock_addr bind4", 80, 0, 8},
    {18, "cgroup_sock_addr bind6", 80, 0, 9},
    {18, "cgroup_sock_addr sendmsg4", 80, 0, 14},
    {18, "cgroup_sock_addr sendmsg6", 80, 0, 15},
    {18, "cgroup_sock_addr recvmsg4", 80, 0, 19},
    {18, "cgroup_sock_addr getpeername6", 80, 0, 30},
    {18, "cgroup_sock_addr connect of unix", 80, 0, 49},
    {19, "lwt_seg6local", 200},
    {21, "sk_reuseport", 64},
    {22, "flow_dissector", 200},
    {23, "cgroup_sysctl", 16},
    {24, "raw_tracepoint_writable", 110},
    {25, "cgroup_sockopt get", 48, 0, 21},
    {25, "cgroup_sockopt set", 48, 0, 22},
    {30, "sk_lookup", 80, 0, 36},
    {31, "syscall", 40, kSleepable},
    {32, "netfilter", 24, 0, 45},
    {26, "tp_btf sched_switch", 48, 0, 23, "btf_trace_sched_switch"},
    {26, "tp_btf sys_enter", 48, 0, 23, "btf_trace_sys_enter"},
    {26, "iter map", 32, 0, 28, "bpf_iter_bpf_map"},
    {26, "iter task_file", 48, 0, 28, "bpf_iter_task_file"}};

// Its attach_btf_id, 0 for those that have none or where the kernel's BTF cannot be read.
std::uint32_t attach_btf_id(const ProgramKind& kind);

}  // namespace portolan::conformance
