// SPDX-License-Identifier: Apache-2.0
// Every load and store that a program could do to its context, at every offset and size: who lets it pass?
#include <fmt/format.h>

#include "bytecode.h"
#include "compare.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

struct ProgramType {
  std::uint32_t number;
  const char* name;
  int context_bytes;  // and some more, to see the end
  std::uint32_t flags = 0, attach_type = 0;
};
constexpr std::uint32_t kSleepable = 16;
// Every type that the kernel has, and each way to be attached that makes a difference.
constexpr ProgramType kTypes[] = {{1, "socket_filter", 200},
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
                                  {20, "lirc_mode2", 8},
                                  {21, "sk_reuseport", 64},
                                  {22, "flow_dissector", 200},
                                  {23, "cgroup_sysctl", 16},
                                  {24, "raw_tracepoint_writable", 110},
                                  {25, "cgroup_sockopt get", 48, 0, 21},
                                  {25, "cgroup_sockopt set", 48, 0, 22},
                                  {30, "sk_lookup", 80, 0, 36},
                                  {31, "syscall", 40, kSleepable},
                                  {32, "netfilter", 24, 0, 45}};

long try_access(Backend& backend, const ProgramType& type, int offset, std::uint32_t size, int access) {
  Bytecode code;
  code.set(0, 1);  // which every type may return
  const auto width = Bytecode::size_of(size);
  if (access == 0) code.load(width, 2, 1, offset);
  if (access == 1) code.store(width, 1, offset, 0);
  if (access == 2) code.store_imm(width, 1, offset, 1);
  code.exit();
  const auto insns = code.finish();
  static const char license[] = "GPL";
  Attr attr;
  attr.set(load::kProgType, type.number).set(load::kInsnCnt, insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  attr.set(load::kProgFlags, type.flags).set(load::kAttachType, type.attach_type);
  const long fd = backend.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
  if (fd < 0) return fd;
  backend.close(static_cast<int>(fd));
  return 0;
}

}  // namespace

std::size_t compare_contexts(Backend& kernel, Backend& portolan) {
  std::size_t accesses = 0, differences = 0, refused_here = 0;
  for (const ProgramType& type : kTypes)
    for (int offset = -8; offset < type.context_bytes; ++offset)
      for (const std::uint32_t size : {1u, 2u, 4u, 8u})
        for (int access = 0; access < 3; ++access) {
          ++accesses;
          const long expected = try_access(kernel, type, offset, size, access),
                     got = try_access(portolan, type, offset, size, access);
          if (expected == got) continue;
          if (expected == 0) {  // a socket, which no packet has here
            ++refused_here;
            continue;
          }
          ++differences;
          static constexpr const char* kNames[] = {"load", "store of a register", "store of a constant"};
          fmt::print("{}: {} of {} bytes at {}: kernel {}, Portolan {}\n", type.name, kNames[access], size,
                     offset, expected, got);
        }
  fmt::print("{} accesses of contexts: {} differences, {} more that only the kernel allows\n", accesses,
             differences, refused_here);
  return differences;
}

}  // namespace portolan::conformance
