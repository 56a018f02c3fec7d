// SPDX-License-Identifier: Apache-2.0
// The types of programs that have a helper in common, as bits by abi::ProgType. Types that load only with BTF
// of a kernel (tracing, lsm, ext, struct_ops) are in none: no such program comes so far as to call anything.
#pragma once
#include <cstdint>

#include "abi/prog_type.h"

namespace portolan::helper::programs {

using Set = std::uint64_t;
template <class... Types>
constexpr Set set(Types... types) {
  return (0 | ... | (Set{1} << static_cast<unsigned>(types)));
}

using Type = abi::ProgType;

inline constexpr Set kEvery = set(
    Type::kSocketFilter, Type::kKprobe, Type::kSchedCls, Type::kSchedAct, Type::kTracepoint, Type::kXdp,
    Type::kPerfEvent, Type::kCgroupSkb, Type::kCgroupSock, Type::kLwtIn, Type::kLwtOut, Type::kLwtXmit,
    Type::kSockOps, Type::kSkSkb, Type::kCgroupDevice, Type::kSkMsg, Type::kRawTracepoint,
    Type::kCgroupSockAddr, Type::kLwtSeg6local, Type::kSkReuseport, Type::kFlowDissector, Type::kCgroupSysctl,
    Type::kRawTracepointWritable, Type::kCgroupSockopt, Type::kSkLookup, Type::kSyscall, Type::kNetfilter);
inline constexpr Set kEveryAndLirc = kEvery | set(Type::kLircMode2);
inline constexpr Set kCgroupRetval = set(Type::kCgroupSock, Type::kCgroupDevice, Type::kCgroupSockAddr,
                                         Type::kCgroupSysctl, Type::kCgroupSockopt);
inline constexpr Set kCgroupSkb = set(Type::kCgroupSkb);
inline constexpr Set kCgroupStorage =
    set(Type::kCgroupSkb, Type::kCgroupSock, Type::kSockOps, Type::kCgroupDevice, Type::kCgroupSockAddr,
        Type::kCgroupSysctl, Type::kCgroupSockopt);
inline constexpr Set kCsumDiff = set(Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kLwtIn,
                                     Type::kLwtOut, Type::kLwtXmit, Type::kLwtSeg6local);
inline constexpr Set kKprobe = set(Type::kKprobe);
inline constexpr Set kKtimeCoarse =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb,
        Type::kCgroupSock, Type::kLwtIn, Type::kLwtOut, Type::kLwtXmit, Type::kSockOps, Type::kSkSkb,
        Type::kSkMsg, Type::kCgroupSockAddr, Type::kLwtSeg6local, Type::kSkReuseport, Type::kFlowDissector,
        Type::kCgroupSysctl, Type::kSkLookup);
inline constexpr Set kLirc = set(Type::kLircMode2);
inline constexpr Set kNetnsCookie =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kCgroupSock,
        Type::kSockOps, Type::kSkMsg, Type::kCgroupSockAddr, Type::kCgroupSockopt);
inline constexpr Set kPerfEvent = set(Type::kPerfEvent);
inline constexpr Set kPerfOutput = kEvery & ~set(Type::kSkReuseport, Type::kFlowDissector, Type::kNetfilter);
inline constexpr Set kPullData = set(Type::kSchedCls, Type::kSchedAct, Type::kLwtIn, Type::kLwtOut,
                                     Type::kLwtXmit, Type::kSkSkb, Type::kLwtSeg6local);
inline constexpr Set kPushEncap = set(Type::kLwtIn, Type::kLwtXmit);
inline constexpr Set kRedirect = set(Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kLwtXmit);
inline constexpr Set kReuseport = set(Type::kSkReuseport);
inline constexpr Set kSeg6 = set(Type::kLwtSeg6local);
inline constexpr Set kSkAssign = set(Type::kSchedCls, Type::kSchedAct, Type::kSkLookup);
inline constexpr Set kSkLookups =
    set(Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb, Type::kSkSkb, Type::kCgroupSockAddr);
inline constexpr Set kSkMsg = set(Type::kSkMsg);
inline constexpr Set kSkRelease = set(Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb,
                                      Type::kSkSkb, Type::kCgroupSockAddr, Type::kSkLookup);
inline constexpr Set kSkSkb = set(Type::kSkSkb);
inline constexpr Set kSkStorageDelete =
    set(Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kSockOps, Type::kSkMsg,
        Type::kCgroupSockAddr, Type::kCgroupSockopt, Type::kSyscall);
inline constexpr Set kSkStorageGet =
    set(Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kCgroupSock, Type::kSockOps, Type::kSkMsg,
        Type::kCgroupSockAddr, Type::kCgroupSockopt, Type::kSyscall);
inline constexpr Set kSkb =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kLwtIn, Type::kLwtOut,
        Type::kLwtXmit, Type::kSkSkb, Type::kLwtSeg6local);
inline constexpr Set kSkbLoadRelative =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb);
inline constexpr Set kSkcTo =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb, Type::kLwtIn,
        Type::kLwtOut, Type::kLwtXmit, Type::kSockOps, Type::kSkSkb, Type::kSkMsg, Type::kCgroupSockAddr,
        Type::kLwtSeg6local, Type::kFlowDissector, Type::kSkLookup, Type::kSyscall);
inline constexpr Set kSockAddr = set(Type::kCgroupSockAddr);
inline constexpr Set kSockOps = set(Type::kSockOps);
inline constexpr Set kSockOpts = set(Type::kSockOps, Type::kCgroupSockAddr, Type::kCgroupSockopt);
inline constexpr Set kSocketCookie =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kCgroupSock,
        Type::kSockOps, Type::kSkSkb, Type::kCgroupSockAddr);
inline constexpr Set kSocketUid =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kSkSkb);
inline constexpr Set kSyscall = set(Type::kSyscall);
inline constexpr Set kSysctl = set(Type::kCgroupSysctl);
inline constexpr Set kTc = set(Type::kSchedCls, Type::kSchedAct);
inline constexpr Set kTcCgroupSkb = set(Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb);
inline constexpr Set kTcLwt =
    set(Type::kSchedCls, Type::kSchedAct, Type::kLwtIn, Type::kLwtOut, Type::kLwtXmit, Type::kLwtSeg6local);
inline constexpr Set kTcLwtXmit = set(Type::kSchedCls, Type::kSchedAct, Type::kLwtXmit);
inline constexpr Set kTcLwtXmitSkSkb = set(Type::kSchedCls, Type::kSchedAct, Type::kLwtXmit, Type::kSkSkb);
inline constexpr Set kTcSkSkb = set(Type::kSchedCls, Type::kSchedAct, Type::kSkSkb);
inline constexpr Set kTcXdp = set(Type::kSchedCls, Type::kSchedAct, Type::kXdp);
inline constexpr Set kTcpSock =
    set(Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kSockOps, Type::kCgroupSockopt);
inline constexpr Set kTracepoints = set(Type::kKprobe, Type::kTracepoint, Type::kPerfEvent,
                                        Type::kRawTracepoint, Type::kRawTracepointWritable);
inline constexpr Set kTracepointsAndSyscall =
    set(Type::kKprobe, Type::kTracepoint, Type::kPerfEvent, Type::kRawTracepoint,
        Type::kRawTracepointWritable, Type::kSyscall);
inline constexpr Set kXdp = set(Type::kXdp);
inline constexpr Set kOfKernelBtf = 0;

}  // namespace portolan::helper::programs
