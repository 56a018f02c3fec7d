// SPDX-License-Identifier: Apache-2.0
#include "loader/section_names.h"

namespace portolan::loader {
namespace {

using enum abi::ProgType;
using A = abi::AttachType;

enum class Match : std::uint8_t {
  kWhole,   // this name
  kBegins,  // names that begin so
  kPath,    // this name, or one that goes on after a '/'
};
struct Row {
  std::string_view name;
  Match match;
  abi::ProgType type;
  std::uint32_t attach = 0;
};
constexpr std::uint32_t at(A type) { return static_cast<std::uint32_t>(type); }

// Longer names before those that they begin with.
constexpr Row kRows[] = {
    {"socket", Match::kBegins, kSocketFilter},
    {"kprobe", Match::kPath, kKprobe},
    {"kretprobe", Match::kPath, kKprobe},
    {"uprobe", Match::kPath, kKprobe},
    {"uretprobe", Match::kPath, kKprobe},
    {"tc", Match::kPath, kSchedCls},
    {"classifier", Match::kBegins, kSchedCls},
    {"action", Match::kBegins, kSchedAct},
    {"tracepoint", Match::kPath, kTracepoint},
    {"tp", Match::kPath, kTracepoint},
    {"raw_tracepoint.w", Match::kPath, kRawTracepointWritable},
    {"raw_tp.w", Match::kPath, kRawTracepointWritable},
    {"raw_tracepoint", Match::kPath, kRawTracepoint},
    {"raw_tp", Match::kPath, kRawTracepoint},
    {"xdp/devmap", Match::kPath, kXdp, at(A::kXdpDevmap)},
    {"xdp_devmap", Match::kPath, kXdp, at(A::kXdpDevmap)},
    {"xdp/cpumap", Match::kPath, kXdp, at(A::kXdpCpumap)},
    {"xdp_cpumap", Match::kPath, kXdp, at(A::kXdpCpumap)},
    {"xdp", Match::kBegins, kXdp},
    {"perf_event", Match::kBegins, kPerfEvent},
    {"lwt_in", Match::kPath, kLwtIn},
    {"lwt_out", Match::kPath, kLwtOut},
    {"lwt_xmit", Match::kPath, kLwtXmit},
    {"lwt_seg6local", Match::kPath, kLwtSeg6local},
    {"cgroup_skb/ingress", Match::kWhole, kCgroupSkb, at(A::kCgroupInetIngress)},
    {"cgroup_skb/egress", Match::kWhole, kCgroupSkb, at(A::kCgroupInetEgress)},
    {"cgroup/skb", Match::kPath, kCgroupSkb},
    {"cgroup/sock_create", Match::kWhole, kCgroupSock, at(A::kCgroupInetSockCreate)},
    {"cgroup/sock_release", Match::kWhole, kCgroupSock, at(A::kCgroupInetSockRelease)},
    {"cgroup/sock", Match::kPath, kCgroupSock, at(A::kCgroupInetSockCreate)},
    {"cgroup/post_bind4", Match::kWhole, kCgroupSock, at(A::kCgroupInet4PostBind)},
    {"cgroup/post_bind6", Match::kWhole, kCgroupSock, at(A::kCgroupInet6PostBind)},
    {"cgroup/bind4", Match::kWhole, kCgroupSockAddr, at(A::kCgroupInet4Bind)},
    {"cgroup/bind6", Match::kWhole, kCgroupSockAddr, at(A::kCgroupInet6Bind)},
    {"cgroup/connect4", Match::kWhole, kCgroupSockAddr, at(A::kCgroupInet4Connect)},
    {"cgroup/connect6", Match::kWhole, kCgroupSockAddr, at(A::kCgroupInet6Connect)},
    {"cgroup/sendmsg4", Match::kWhole, kCgroupSockAddr, at(A::kCgroupUdp4Sendmsg)},
    {"cgroup/sendmsg6", Match::kWhole, kCgroupSockAddr, at(A::kCgroupUdp6Sendmsg)},
    {"cgroup/recvmsg4", Match::kWhole, kCgroupSockAddr, at(A::kCgroupUdp4Recvmsg)},
    {"cgroup/recvmsg6", Match::kWhole, kCgroupSockAddr, at(A::kCgroupUdp6Recvmsg)},
    {"cgroup/dev", Match::kPath, kCgroupDevice, at(A::kCgroupDevice)},
    {"cgroup/sysctl", Match::kPath, kCgroupSysctl, at(A::kCgroupSysctl)},
    {"cgroup/getsockopt", Match::kWhole, kCgroupSockopt, at(A::kCgroupGetsockopt)},
    {"cgroup/setsockopt", Match::kWhole, kCgroupSockopt, at(A::kCgroupSetsockopt)},
    {"sockops", Match::kBegins, kSockOps, at(A::kCgroupSockOps)},
    {"sk_skb/stream_parser", Match::kPath, kSkSkb, at(A::kSkSkbStreamParser)},
    {"sk_skb/stream_verdict", Match::kPath, kSkSkb, at(A::kSkSkbStreamVerdict)},
    {"sk_skb", Match::kBegins, kSkSkb},
    {"sk_msg", Match::kBegins, kSkMsg, at(A::kSkMsgVerdict)},
    {"sk_reuseport", Match::kPath, kSkReuseport, at(A::kSkReuseportSelect)},
    {"sk_lookup", Match::kPath, kSkLookup, at(A::kSkLookup)},
    {"flow_dissector", Match::kPath, kFlowDissector, at(A::kFlowDissector)},
    {"lirc_mode2", Match::kPath, kLircMode2, at(A::kLircMode2)},
    {"netfilter", Match::kPath, kNetfilter, at(A::kNetfilter)},
    {"syscall", Match::kWhole, kSyscall},
};

bool fits(const Row& row, std::string_view name) {
  if (!name.starts_with(row.name)) return false;
  switch (row.match) {
    case Match::kWhole:
      return name.size() == row.name.size();
    case Match::kBegins:
      return true;
    case Match::kPath:
      return name.size() == row.name.size() || name[row.name.size()] == '/';
  }
  return false;
}

}  // namespace

std::optional<ProgramKind> kind_of_section(std::string_view name) {
  for (const Row& row : kRows)
    if (fits(row, name)) return ProgramKind{row.type, row.attach};
  return {};
}

}  // namespace portolan::loader
