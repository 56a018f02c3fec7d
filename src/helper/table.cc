// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string_view>

#include "helper/functions.h"
#include "helper/helper.h"
#include "helper/program_sets.h"

namespace portolan::helper {
namespace {

using namespace arg_flag;
using namespace programs;

// Flags of a row.
constexpr unsigned kGpl = 1;            // gpl_only
constexpr unsigned kPacket = 2;         // pkt_access
constexpr unsigned kChangesPacket = 4;  // changes_pkt_data
constexpr unsigned kSleeps = 8;         // might_sleep
constexpr unsigned kAcquires = 16;      // acquires
constexpr unsigned kCasts = 32;         // casts

// Arguments of a row. `out` is written from end to end, `inout` is read or written.
constexpr Argument map{Arg::kConstMapPtr};
constexpr Argument key{Arg::kMapKey};
constexpr Argument value{Arg::kMapValue};
constexpr Argument value_out{Arg::kMapValue, kUninit | kWrites};
constexpr Argument value_or_null{Arg::kMapValue, kOrNull};
constexpr Argument any{Arg::kAnything};
constexpr Argument alloc_size{Arg::kAllocSize};
constexpr Argument reserved{Arg::kReserved, kReleases};
constexpr Argument ctx{Arg::kCtx};
constexpr Argument ctx_or_null{Arg::kCtx, kOrNull};
constexpr Argument ctx_of_tc{Arg::kCtxOfTc};
constexpr Argument ctx_or_sock{Arg::kCtxOrSocket};
constexpr Argument sock{Arg::kSocket};
constexpr Argument btf_sock{Arg::kBtfSocket};
constexpr Argument sock_back{Arg::kBtfSocket, kReleases};
constexpr Argument mem{Arg::kMem};
constexpr Argument mem_or_null{Arg::kMem, kOrNull};
constexpr Argument out{Arg::kMem, kUninit | kWrites};
constexpr Argument inout{Arg::kMem, kWrites};
constexpr Argument inout_or_null{Arg::kMem, kOrNull | kWrites};
constexpr Argument out64{Arg::kMem, kFixed | kUninit | kWrites | kAligned, 8};
constexpr Argument inout32{Arg::kMem, kFixed | kWrites | kAligned, 4};
constexpr Argument fixed(std::uint16_t size) { return {Arg::kMem, kFixed, size}; }
constexpr Argument size{Arg::kConstSize};
constexpr Argument size_or_zero{Arg::kConstSizeOrZero};
constexpr Argument lock{Arg::kSpinLock};
constexpr Argument timer{Arg::kTimer};
constexpr Argument func{Arg::kFunc};
constexpr Argument stack{Arg::kStackOrNull};
constexpr Argument string{Arg::kConstStr};
constexpr Argument dynptr{Arg::kDynptr};
constexpr Argument dynptr_out{Arg::kDynptr, kUninit | kWrites};
constexpr Argument dynptr_back{Arg::kDynptr, kReleases};
constexpr Argument seq_file{Arg::kSeqFile};
constexpr Argument task{Arg::kTask};
constexpr Argument sk_buff{Arg::kSkBuff};
constexpr Argument xdp_buff{Arg::kXdpBuff};
constexpr Argument other{Arg::kOther};

constexpr Prototype row(std::uint32_t id, const char* name, Function function, Ret ret, Set programs,
                        unsigned flags, const Prototype& arguments, const char* note) {
  Prototype prototype = arguments;
  prototype.id = id;
  prototype.name = name;
  prototype.function = function;
  prototype.ret = ret;
  prototype.programs = programs;
  prototype.gpl_only = (flags & kGpl) != 0;
  prototype.pkt_access = (flags & kPacket) != 0;
  prototype.changes_pkt_data = (flags & kChangesPacket) != 0;
  prototype.acquires = (flags & kAcquires) != 0;
  prototype.casts = (flags & kCasts) != 0;
  prototype.might_sleep = (flags & kSleeps) != 0;
  prototype.note = note;
  return prototype;
}

constexpr Prototype kTable[] = {
#define ARGS(...)           \
  Prototype {               \
    .args = { __VA_ARGS__ } \
  }
#define HELPER(id, name, returns, programs, flags, major, minor, args, note) \
  row(id, "bpf_" #name, functions::name, Ret::returns, programs, flags, args, note),
#define HELPER_NOT_HERE(id, name, returns, programs, flags, major, minor, args, note) \
  row(id, "bpf_" #name, nullptr, Ret::returns, programs, flags, args, note),
#include "helper/helpers.def"
#undef HELPER
#undef HELPER_NOT_HERE
#undef ARGS
};

constexpr bool each_at_its_id() {
  for (std::uint32_t i = 0; i < std::size(kTable); ++i)
    if (kTable[i].id != i + 1) return false;
  return std::size(kTable) == kHelperEnd - 1;
}
static_assert(each_at_its_id());

}  // namespace

const Prototype* find(std::uint32_t id) { return id == 0 || id >= kHelperEnd ? nullptr : &kTable[id - 1]; }

namespace {

using abi::AttachType;

bool returns_number(AttachType type) {
  switch (type) {
    case AttachType::kCgroupInetIngress:
    case AttachType::kCgroupInetEgress:
    case AttachType::kCgroupSockOps:
    case AttachType::kCgroupUdp4Recvmsg:
    case AttachType::kCgroupUdp6Recvmsg:
    case AttachType::kCgroupUnixRecvmsg:
    case AttachType::kCgroupInet4Getpeername:
    case AttachType::kCgroupInet6Getpeername:
    case AttachType::kCgroupUnixGetpeername:
    case AttachType::kCgroupInet4Getsockname:
    case AttachType::kCgroupInet6Getsockname:
    case AttachType::kCgroupUnixGetsockname:
      return false;
    default:
      return true;
  }
}

Set ways_of(abi::ProgType type, AttachType attach) {
  using enum AttachType;
  switch (type) {
    case Type::kTracing:
      switch (attach) {
        case kTraceIter:
          return ways(Way::kIterator);
        case kTraceRawTp:
          return ways(Way::kTracepoint);
        case kTraceFentry:
          return ways(Way::kFunction);
        case kTraceFexit:
        case kModifyReturn:
          return ways(Way::kFunction, Way::kResult);
        default:
          return kNobody;
      }
    case Type::kLsm:
      return attach == kLsmMac ? ways(Way::kFunction) : kNobody;
    case Type::kCgroupSockopt:
      return ways(Way::kRetval) | (attach == kCgroupSetsockopt ? ways(Way::kSetsockopt) : kNobody);
    case Type::kCgroupSockAddr: {
      const bool connects = attach == kCgroupInet4Connect || attach == kCgroupInet6Connect;
      return (connects ? ways(Way::kConnect) : kNobody) |
             (returns_number(attach) ? ways(Way::kRetval) : kNobody);
    }
    case Type::kCgroupSock:
    case Type::kCgroupDevice:
    case Type::kCgroupSysctl:
      return returns_number(attach) ? ways(Way::kRetval) : kNobody;
    case Type::kKprobe: {
      const bool is_session = attach == kTraceKprobeSession || attach == kTraceUprobeSession;
      return is_session ? ways(Way::kSession) : kNobody;
    }
    default:
      return kNobody;
  }
}

}  // namespace

Set programs::set_of(abi::ProgType type, std::uint32_t expected_attach_type) {
  if (static_cast<std::uint32_t>(type) >= abi::kProgTypeEnd) return kNobody;
  return set(type) | ways_of(type, static_cast<AttachType>(expected_attach_type));
}

// Linux 6.18 gives sleepable programs what it gives the others; that some helpers may sleep is a check of its
// own.
bool is_available(const Prototype& prototype, abi::ProgType type, std::uint32_t expected_attach_type) {
  return (prototype.programs & set_of(type, expected_attach_type)) != 0;
}

bool takes_context_of(const Prototype& prototype, abi::ProgType type) {
  struct OtherContexts {
    const char* name;
    Set programs;
  };
  constexpr OtherContexts kOthers[] = {
      {"bpf_get_socket_cookie", kSyscallAndByBtf | set(Type::kSkReuseport)},
  };
  for (const OtherContexts& one : kOthers)
    if (std::string_view(prototype.name) == one.name) return (one.programs & set(type)) == 0;
  return true;
}

}  // namespace portolan::helper
