// SPDX-License-Identifier: Apache-2.0
// The programs that have a helper in common: bits by abi::ProgType, and above them bits of those that have it
// only where they are to be attached in some way. Types that nothing loads (ext, struct_ops) are in none.
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

// Programs by expected_attach_type, too.
enum class Way : unsigned {
  kIterator = abi::kProgTypeEnd,
  kTracepoint,  // by BTF
  kFunction,    // of a function: fentry, fexit, fmod_ret, lsm
  kResult,      // of a function's end: fexit, fmod_ret
  kConnect,     // cgroup_sock_addr
  kSetsockopt,  // cgroup_sockopt
  kRetval,      // of cgroups, where a number is returned
  kSession,     // of both ends of a function: kprobe
};
template <class... Ways>
constexpr Set ways(Ways... which) {
  return (0 | ... | (Set{1} << static_cast<unsigned>(which)));
}

// The bits that a program has.
Set set_of(abi::ProgType type, std::uint32_t expected_attach_type);

inline constexpr Set kNobody = 0;
inline constexpr Set kByBtf = set(Type::kTracing, Type::kLsm);
inline constexpr Set kEvery =
    kByBtf | set(Type::kSocketFilter, Type::kKprobe, Type::kSchedCls, Type::kSchedAct, Type::kTracepoint,
                 Type::kXdp, Type::kPerfEvent, Type::kCgroupSkb, Type::kCgroupSock, Type::kLwtIn,
                 Type::kLwtOut, Type::kLwtXmit, Type::kSockOps, Type::kSkSkb, Type::kCgroupDevice,
                 Type::kSkMsg, Type::kRawTracepoint, Type::kCgroupSockAddr, Type::kLwtSeg6local,
                 Type::kSkReuseport, Type::kFlowDissector, Type::kCgroupSysctl, Type::kRawTracepointWritable,
                 Type::kCgroupSockopt, Type::kSkLookup, Type::kSyscall, Type::kNetfilter);
inline constexpr Set kEveryAndLirc = kEvery | set(Type::kLircMode2);
inline constexpr Set kCgroupRetval = ways(Way::kRetval);
inline constexpr Set kCgroupSkb = set(Type::kCgroupSkb);
inline constexpr Set kCgroupStorage =
    set(Type::kCgroupSkb, Type::kCgroupSock, Type::kSockOps, Type::kCgroupDevice, Type::kCgroupSockAddr,
        Type::kCgroupSysctl, Type::kCgroupSockopt);
inline constexpr Set kCsumDiff = set(Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kLwtIn,
                                     Type::kLwtOut, Type::kLwtXmit, Type::kLwtSeg6local);
inline constexpr Set kKtimeCoarse =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb,
        Type::kCgroupSock, Type::kLwtIn, Type::kLwtOut, Type::kLwtXmit, Type::kSockOps, Type::kSkSkb,
        Type::kSkMsg, Type::kCgroupSockAddr, Type::kLwtSeg6local, Type::kSkReuseport, Type::kFlowDissector,
        Type::kCgroupSysctl, Type::kSkLookup);
inline constexpr Set kFunctions = ways(Way::kFunction);
inline constexpr Set kIterators = ways(Way::kIterator);
inline constexpr Set kLirc = set(Type::kLircMode2);
inline constexpr Set kLsm = set(Type::kLsm);
inline constexpr Set kSessions = ways(Way::kSession);
inline constexpr Set kResults = ways(Way::kResult);
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
        Type::kCgroupSockAddr, Type::kCgroupSockopt, Type::kSyscall) |
    kByBtf;
inline constexpr Set kSkStorageGet =
    set(Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kCgroupSock, Type::kSockOps, Type::kSkMsg,
        Type::kCgroupSockAddr, Type::kCgroupSockopt, Type::kSyscall) |
    kByBtf;
inline constexpr Set kSkb =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kLwtIn, Type::kLwtOut,
        Type::kLwtXmit, Type::kSkSkb, Type::kLwtSeg6local, Type::kSkReuseport, Type::kFlowDissector);
inline constexpr Set kSkbLoadRelative =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kSkReuseport);
inline constexpr Set kSkcTo =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kXdp, Type::kCgroupSkb, Type::kLwtIn,
        Type::kLwtOut, Type::kLwtXmit, Type::kSockOps, Type::kSkSkb, Type::kSkMsg, Type::kCgroupSockAddr,
        Type::kLwtSeg6local, Type::kFlowDissector, Type::kSkLookup, Type::kSyscall) |
    kByBtf;
inline constexpr Set kConnect = ways(Way::kConnect);
inline constexpr Set kSockOps = set(Type::kSockOps);
inline constexpr Set kSockOpts = set(Type::kSockOps, Type::kCgroupSockAddr) | ways(Way::kSetsockopt);
inline constexpr Set kSocketCookie =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kCgroupSock,
        Type::kSockOps, Type::kSkSkb, Type::kCgroupSockAddr, Type::kSkReuseport, Type::kSyscall) |
    kByBtf;
inline constexpr Set kSocketUid =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kSkSkb);
inline constexpr Set kSyscall = set(Type::kSyscall);
inline constexpr Set kSyscallAndByBtf = set(Type::kSyscall) | kByBtf;
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
inline constexpr Set kAttached = kTracepoints | ways(Way::kTracepoint, Way::kFunction);
inline constexpr Set kTracepointsAndSyscall =
    set(Type::kKprobe, Type::kTracepoint, Type::kPerfEvent, Type::kRawTracepoint,
        Type::kRawTracepointWritable, Type::kSyscall) |
    kByBtf;
inline constexpr Set kXdp = set(Type::kXdp);
inline constexpr Set kXdpBuffs = set(Type::kXdp, Type::kSyscall) | kByBtf;

}  // namespace portolan::helper::programs
