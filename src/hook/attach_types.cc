// SPDX-License-Identifier: Apache-2.0
#include "hook/attach_types.h"

namespace portolan::hook {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;

}  // namespace

P program_type_of(std::uint32_t attach_type) {
  switch (static_cast<A>(attach_type)) {
    case A::kCgroupInetIngress:
    case A::kCgroupInetEgress:
      return P::kCgroupSkb;
    case A::kCgroupInetSockCreate:
    case A::kCgroupInetSockRelease:
    case A::kCgroupInet4PostBind:
    case A::kCgroupInet6PostBind:
      return P::kCgroupSock;
    case A::kCgroupInet4Bind:
    case A::kCgroupInet6Bind:
    case A::kCgroupInet4Connect:
    case A::kCgroupInet6Connect:
    case A::kCgroupUnixConnect:
    case A::kCgroupInet4Getpeername:
    case A::kCgroupInet6Getpeername:
    case A::kCgroupUnixGetpeername:
    case A::kCgroupInet4Getsockname:
    case A::kCgroupInet6Getsockname:
    case A::kCgroupUnixGetsockname:
    case A::kCgroupUdp4Sendmsg:
    case A::kCgroupUdp6Sendmsg:
    case A::kCgroupUnixSendmsg:
    case A::kCgroupUdp4Recvmsg:
    case A::kCgroupUdp6Recvmsg:
    case A::kCgroupUnixRecvmsg:
      return P::kCgroupSockAddr;
    case A::kCgroupSockOps:
      return P::kSockOps;
    case A::kCgroupDevice:
      return P::kCgroupDevice;
    case A::kSkMsgVerdict:
      return P::kSkMsg;
    case A::kSkSkbStreamParser:
    case A::kSkSkbStreamVerdict:
    case A::kSkSkbVerdict:
      return P::kSkSkb;
    case A::kLircMode2:
      return P::kLircMode2;
    case A::kFlowDissector:
      return P::kFlowDissector;
    case A::kCgroupSysctl:
      return P::kCgroupSysctl;
    case A::kCgroupGetsockopt:
    case A::kCgroupSetsockopt:
      return P::kCgroupSockopt;
    case A::kTraceIter:
    case A::kTraceRawTp:
    case A::kTraceFentry:
    case A::kTraceFexit:
    case A::kModifyReturn:
      return P::kTracing;
    case A::kLsmMac:
    case A::kLsmCgroup:
      return P::kLsm;
    case A::kSkLookup:
      return P::kSkLookup;
    case A::kXdp:
      return P::kXdp;
    case A::kTcxIngress:
    case A::kTcxEgress:
    case A::kNetkitPrimary:
    case A::kNetkitPeer:
      return P::kSchedCls;
    default:
      return P::kUnspec;
  }
}

bool is_of_cgroups(P type) {
  switch (type) {
    case P::kCgroupSkb:
    case P::kCgroupSock:
    case P::kCgroupSockAddr:
    case P::kCgroupDevice:
    case P::kCgroupSysctl:
    case P::kCgroupSockopt:
    case P::kSockOps:
      return true;
    default:
      return false;
  }
}

}  // namespace portolan::hook
