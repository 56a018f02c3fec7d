// SPDX-License-Identifier: Apache-2.0
#include "verifier/context.h"

#include <climits>
#include <cstddef>

#include "abi/context.h"
#include "helper/packet.h"
#include "isa/insn.h"
#include "verifier/context_fields.h"

namespace portolan::verifier {
namespace {

using helper::NetDevice;
using helper::RxQueue;
using helper::SkBuff;
using helper::TxQueue;
using helper::XdpBuff;
using isa::Class;
using isa::Size;
using enum abi::ProgType;

// --- struct __sk_buff
enum SkbPrograms : unsigned {
  kFilter = 1,
  kTc = 2,
  kCgroup = 4,
  kLwt = 8,
  kSk = 16,
  kFlow = 32,
  kMost = kFilter | kTc | kCgroup | kLwt | kSk
};
unsigned skb_programs(abi::ProgType type) {
  switch (type) {
    case kSocketFilter:
      return kFilter;
    case kSchedCls:
    case kSchedAct:
      return kTc;
    case kCgroupSkb:
      return kCgroup;
    case kLwtIn:
    case kLwtOut:
    case kLwtXmit:
    case kLwtSeg6local:
      return kLwt;
    case kSkSkb:
      return kSk;
    case kFlowDissector:
      return kFlow;
    default:
      return 0;
  }
}

struct SkbField {
  std::int32_t offset;
  std::uint32_t bytes;  // of the field, as programs see it
  std::size_t native;   // where it lies in SkBuff
  std::uint32_t stored;
  unsigned readers, writers;
  ContextValue value;
  bool is_whole;  // no part of it can be read by itself
};
constexpr SkbField kSkbFields[] = {
#define SKB_FIELD(offset, member, stored, readers, writers) \
  {offset, 4, offsetof(SkBuff, member), stored, readers, writers, ContextValue::kScalar, false},
#define SKB_WHOLE(offset, member, readers) \
  {offset, 4, offsetof(SkBuff, member), 4, readers, 0, ContextValue::kScalar, true},
#define SKB_WIDE(offset, member, readers, writers) \
  {offset, 8, offsetof(SkBuff, member), 8, readers, writers, ContextValue::kScalar, true},
#define SKB_PACKET(offset, member, value, readers) \
  {offset, 4, offsetof(SkBuff, member), 0, readers, 0, ContextValue::value, true},
#define SKB_POINTER(offset, member, value, readers) \
  {offset, 8, offsetof(SkBuff, member), 0, readers, 0, ContextValue::value, true},
#include "verifier/contexts.def"
#undef SKB_FIELD
#undef SKB_WHOLE
#undef SKB_WIDE
#undef SKB_PACKET
#undef SKB_POINTER
};
constexpr std::int32_t kCb = 48, kCbEnd = 68;  // five words that belong to whoever has the packet
constexpr std::int32_t kSocket = 168, kSocketBytes = 8;
constexpr std::int32_t kTstampType = 180;  // one byte
constexpr std::int32_t kQueueMapping = 12;
constexpr std::int32_t kNoQueue = 0xffff;

const SkbField* skb_field_at(std::int32_t offset) {
  for (const SkbField& field : kSkbFields)
    if (offset >= field.offset && offset < field.offset + static_cast<std::int32_t>(field.bytes))
      return &field;
  return nullptr;
}

ContextAccess check_skb(unsigned programs, std::int32_t offset, std::uint32_t size, bool writes) {
  if (offset >= kCb && offset < kCbEnd) {
    const bool is_mine = (programs & (writes ? kMost & ~kSk : kMost)) != 0;
    return {is_mine && offset + static_cast<std::int32_t>(size) <= kCbEnd, ContextValue::kScalar, 0};
  }
  if (offset == kTstampType) return {(programs & kTc) != 0 && size == 1 && !writes, ContextValue::kScalar, 0};
  if (offset == kSocket)
    return {(programs & kMost) != 0 && size == kSocketBytes && !writes, ContextValue::kSockCommonOrNull, 0};
  const SkbField* field = skb_field_at(offset);
  if (field == nullptr || ((writes ? field->writers : field->readers) & programs) == 0) return {};
  const bool is_whole = size == field->bytes && offset == field->offset;
  if (field->is_whole || writes) return {is_whole, field->value, 0};
  return {size <= field->bytes, ContextValue::kScalar, field->bytes};
}

constexpr std::uint8_t code_of(Class kind, std::uint32_t bytes) {
  const Size size = bytes == 8   ? Size::kDouble
                    : bytes == 4 ? Size::kWord
                    : bytes == 2 ? Size::kHalf
                                 : Size::kByte;
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(size) |
                                   static_cast<unsigned>(isa::Mode::kMem));
}
abi::Insn load(std::uint32_t bytes, unsigned to, unsigned from, std::size_t offset) {
  return {code_of(Class::kLdx, bytes), static_cast<std::uint8_t>(to | from << 4),
          static_cast<std::int16_t>(offset), 0};
}

std::vector<abi::Insn> convert_skb(const abi::Insn& insn) {
  const std::uint32_t size = isa::bytes_of(isa::size_of(insn));
  const auto moved = [&](std::uint32_t bytes, std::size_t offset) {
    return abi::Insn{code_of(isa::class_of(insn), bytes), insn.registers, static_cast<std::int16_t>(offset),
                     insn.imm};
  };
  if (insn.off >= kCb && insn.off < kCbEnd)
    return {moved(size, offsetof(SkBuff, cb) + static_cast<std::size_t>(insn.off - kCb))};
  if (insn.off == kSocket) return {load(8, insn.dst(), insn.src(), offsetof(SkBuff, sk))};
  if (insn.off == kTstampType) return {moved(1, offsetof(SkBuff, tstamp_type))};
  const SkbField& field = *skb_field_at(insn.off);
  if (isa::class_of(insn) != Class::kLdx) {
    const abi::Insn store = moved(field.stored, field.native);
    if (field.offset != kQueueMapping) return {store};
    // A number that means "none" is not taken.
    if (isa::class_of(insn) == Class::kSt) {
      if (static_cast<std::uint32_t>(insn.imm) >= kNoQueue) return {{0x05, 0, 0, 0}};
      return {store};
    }
    return {{0x35, insn.src(), 1, kNoQueue}, store};
  }
  if (field.value != ContextValue::kScalar) return {load(8, insn.dst(), insn.src(), field.native)};
  std::vector<abi::Insn> insns{load(field.bytes, insn.dst(), insn.src(), field.native)};
  if (size < field.bytes) {
    const std::int32_t shift = (insn.off - field.offset) * 8;
    if (shift != 0) insns.push_back({0x74, insn.dst(), 0, shift});
    insns.push_back({0x54, insn.dst(), 0, (1 << size * 8) - 1});
  }
  return insns;
}

// --- struct xdp_md: five words, six with a device to go to
enum XdpField : std::int32_t {
  kData = 0,
  kDataEnd = 4,
  kDataMeta = 8,
  kIngressIfindex = 12,
  kRxQueueIndex = 16,
  kEgressIfindex = 20
};

ContextAccess check_xdp(std::uint32_t expected_attach_type, std::int32_t offset, std::uint32_t size,
                        bool writes) {
  if (writes || size != 4 || offset % 4 != 0) return {};
  switch (offset) {
    case kData:
      return {true, ContextValue::kPacket, 0};
    case kDataEnd:
      return {true, ContextValue::kPacketEnd, 0};
    case kDataMeta:
      return {true, ContextValue::kPacketMeta, 0};
    case kIngressIfindex:
    case kRxQueueIndex:
      return {true, ContextValue::kScalar, 0};
    case kEgressIfindex:
      return {expected_attach_type == static_cast<std::uint32_t>(abi::AttachType::kXdpDevmap),
              ContextValue::kScalar, 0};
    default:
      return {};
  }
}

std::vector<abi::Insn> convert_xdp(const abi::Insn& insn) {
  const unsigned to = insn.dst(), from = insn.src();
  switch (insn.off) {
    case kData:
      return {load(8, to, from, offsetof(XdpBuff, data))};
    case kDataEnd:
      return {load(8, to, from, offsetof(XdpBuff, data_end))};
    case kDataMeta:
      return {load(8, to, from, offsetof(XdpBuff, data_meta))};
    case kIngressIfindex:
      return {load(8, to, from, offsetof(XdpBuff, rxq)), load(8, to, to, offsetof(RxQueue, dev)),
              load(4, to, to, offsetof(NetDevice, ifindex))};
    case kRxQueueIndex:
      return {load(8, to, from, offsetof(XdpBuff, rxq)), load(4, to, to, offsetof(RxQueue, queue_index))};
    default:
      return {load(8, to, from, offsetof(XdpBuff, txq)), load(8, to, to, offsetof(TxQueue, dev)),
              load(4, to, to, offsetof(NetDevice, ifindex))};
  }
}

// --- struct bpf_sock_addr: as it is, but that a port has 16 bits
std::vector<abi::Insn> convert_sock_addr(const abi::Insn& insn) {
  const bool stores_port =
      isa::class_of(insn) != Class::kLdx && insn.off == offsetof(abi::SockAddr, user_port);
  abi::Insn converted = insn;
  if (stores_port) converted.code = code_of(isa::class_of(insn), 2);
  return {converted};
}

// --- contexts that are words
constexpr std::uint32_t kRawArguments = 12;
constexpr std::uint32_t kMostTracepointBytes = 8192;  // PERF_MAX_TRACE_SIZE

ContextAccess check_words(abi::ProgType type, std::int32_t offset, std::uint32_t size, bool writes) {
  const auto at = static_cast<std::uint32_t>(offset);
  switch (type) {
    case kSyscall:
      return {at < most_context_bytes(type), ContextValue::kScalar, 0};
    case kRawTracepointWritable:
      if (at == 0) return {size == 8 && !writes, ContextValue::kTracepointBuffer, 0};
      [[fallthrough]];
    case kRawTracepoint:
      return {at < most_context_bytes(type) && !writes, ContextValue::kScalar, 0};
    case kKprobe:
      return {at < most_context_bytes(type) && !writes, ContextValue::kScalar, 0};
    case kTracepoint:  // its first word belongs to the kernel
      return {at >= 8 && at < most_context_bytes(type) && !writes, ContextValue::kScalar, 0};
    default:
      return {};
  }
}

}  // namespace

ContextAccess check_context_access(abi::ProgType type, std::uint32_t expected_attach_type,
                                   std::int32_t offset, std::uint32_t size, bool writes, bool) {
  if (offset < 0 || offset % static_cast<std::int32_t>(size) != 0) return {};
  if (const unsigned programs = skb_programs(type); programs != 0)
    return check_skb(programs, offset, size, writes);
  if (type == kXdp) return check_xdp(expected_attach_type, offset, size, writes);
  if (has_plain_context(type)) return check_plain_context(type, expected_attach_type, offset, size, writes);
  return check_words(type, offset, size, writes);
}

bool has_converted_context(abi::ProgType type) {
  return type == kXdp || type == kCgroupSockAddr || skb_programs(type) != 0;
}

bool has_socket_in_context(abi::ProgType type) {
  return type == kCgroupSockAddr || type == kCgroupSockopt || type == kSockOps || type == kSkSkb ||
         type == kSkMsg || type == kSkReuseport;
}

std::vector<abi::Insn> convert_context_access(abi::ProgType type, const abi::Insn& insn) {
  if (type == kXdp) return convert_xdp(insn);
  return type == kCgroupSockAddr ? convert_sock_addr(insn) : convert_skb(insn);
}

ReturnRange return_range(abi::ProgType type, std::uint32_t expected_attach_type) {
  const auto attaches = [&](abi::AttachType one) {
    return expected_attach_type == static_cast<std::uint32_t>(one);
  };
  using A = abi::AttachType;
  switch (type) {
    case kCgroupSkb:
      return {0, attaches(A::kCgroupInetEgress) ? 3 : 1, false};
    case kCgroupSockAddr:
      for (A one : {A::kCgroupUdp4Recvmsg, A::kCgroupUdp6Recvmsg, A::kCgroupUnixRecvmsg,
                    A::kCgroupInet4Getpeername, A::kCgroupInet6Getpeername, A::kCgroupUnixGetpeername,
                    A::kCgroupInet4Getsockname, A::kCgroupInet6Getsockname, A::kCgroupUnixGetsockname})
        if (attaches(one)) return {1, 1, false};
      return {0, attaches(A::kCgroupInet4Bind) || attaches(A::kCgroupInet6Bind) ? 3 : 1, false};
    case kCgroupSock:
    case kSockOps:
    case kCgroupDevice:
    case kCgroupSysctl:
    case kCgroupSockopt:
    case kSkLookup:
    case kNetfilter:
      return {0, 1, false};
    case kKprobe:
      if (attaches(A::kTraceKprobeSession) || attaches(A::kTraceUprobeSession)) return {0, 1, false};
      return {INT_MIN, INT_MAX, true};
    case kTracing:
      if (attaches(A::kTraceFentry) || attaches(A::kTraceFexit)) return {0, 0, false};
      if (attaches(A::kTraceIter)) return {0, 1, false};
      return {INT_MIN, INT_MAX, true};
    default:
      return {INT_MIN, INT_MAX, true};
  }
}

std::uint32_t most_context_bytes(abi::ProgType type) {
  switch (type) {
    case kSyscall:
      return USHRT_MAX;
    case kRawTracepoint:
    case kRawTracepointWritable:
      return kRawArguments * 8;
    case kKprobe:
      return abi::kPtRegsBytes;
    case kTracepoint:
      return kMostTracepointBytes;
    default:
      return 0;
  }
}

bool may_read_packet(abi::ProgType type) {
  return may_write_packet(type) || type == kLwtIn || type == kLwtOut || type == kLwtSeg6local ||
         type == kSkReuseport || type == kFlowDissector || type == kCgroupSkb;
}
bool may_write_packet(abi::ProgType type) {
  return type == kSchedCls || type == kSchedAct || type == kXdp || type == kLwtXmit || type == kSkSkb ||
         type == kSkMsg || type == kCgroupSockopt;
}

}  // namespace portolan::verifier
