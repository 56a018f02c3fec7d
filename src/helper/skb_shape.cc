// SPDX-License-Identifier: Apache-2.0
// Helpers that make packets longer, shorter, or of another protocol.
#include "abi/prog_type.h"
#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/skb.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint32_t kMostAdjustment = 0xfff;
enum Mode : std::uint32_t { kNet, kMac };
// BPF_F_ADJ_ROOM_*
constexpr U64 kFixedGso = 1, kEncapIpv4 = 2, kEncapIpv6 = 4, kEncapGre = 8, kEncapUdp = 16, kNoCsumReset = 32,
              kEncapEthernet = 64, kDecapIpv4 = 128, kDecapIpv6 = 256;
constexpr unsigned kInnerMacShift = 56;
constexpr U64 kInnerMacMask = U64{0xff} << kInnerMacShift;
constexpr U64 kDecap = kDecapIpv4 | kDecapIpv6;
constexpr U64 kAllAdjustFlags = kFixedGso | kEncapIpv4 | kEncapIpv6 | kEncapGre | kEncapUdp | kNoCsumReset |
                                kEncapEthernet | kDecap | kInnerMacMask;

std::uint32_t ip_header_bytes(std::uint16_t protocol) {
  return protocol == kProtocolIpv4 ? kIpv4Header : kIpv6Header;
}
bool is_ip(std::uint16_t protocol) { return protocol == kProtocolIpv4 || protocol == kProtocolIpv6; }

// Whether `bytes` may be pushed `offset` bytes into the packet: a packet that ends inside its headers takes
// what lies behind it along, as in the kernel.
bool has_room_for_headers(const SkBuff& skb, std::uint32_t offset, std::uint32_t bytes) {
  return headroom(skb) >= bytes && offset <= static_cast<U64>(skb.end - skb.data);
}

// Of the encapsulation that the flags ask for: 0, or the error.
int check_encapsulation(const SkBuff& skb, std::uint32_t bytes, U64 flags) {
  const auto inner_mac = static_cast<std::uint32_t>(flags >> kInnerMacShift);
  if ((flags & kEncapIpv4) != 0 && (flags & kEncapIpv6) != 0) return EINVAL;
  if ((flags & kEncapGre) != 0 && (flags & kEncapUdp) != 0) return EINVAL;
  if ((flags & kEncapEthernet) != 0 && inner_mac < kEthernetHeader) return EINVAL;
  if (skb.encapsulation != 0) return EALREADY;
  return inner_mac > bytes ? EINVAL : 0;
}

U64 grow(SkBuff& skb, std::uint32_t offset, std::uint32_t bytes, U64 flags) {
  const bool encapsulates = (flags & (kEncapIpv4 | kEncapIpv6)) != 0;
  if (skb.gso_size != 0) return negative(kEnotsupp);  // of no protocol that could be grown
  if (!has_room_for_headers(skb, offset, bytes)) return negative(ENOMEM);
  if (encapsulates)
    if (const int error = check_encapsulation(skb, bytes, flags); error != 0) return negative(error);
  const std::uint32_t mac_bytes = mac_header_bytes(skb);
  push_network_header(skb, offset, bytes);
  if (encapsulates) {
    skb.encapsulation = 1;
    skb.network_header = skb.data + mac_bytes;
    set_protocol(skb, (flags & kEncapIpv6) != 0 ? kProtocolIpv6 : kProtocolIpv4);
  }
  return 0;
}

U64 shrink(SkBuff& skb, std::uint32_t offset, std::uint32_t bytes, U64 flags) {
  if ((flags & ~(kFixedGso | kDecap | kNoCsumReset)) != 0) return negative(EINVAL);
  if (skb.gso_size != 0) return negative(kEnotsupp);
  if (U64{offset} + bytes > length_of(skb)) return negative(ENOMEM);
  pop_network_header(skb, offset, bytes);
  if ((flags & kDecapIpv6) != 0) set_protocol(skb, kProtocolIpv6);
  if ((flags & kDecapIpv4) != 0) set_protocol(skb, kProtocolIpv4);
  return 0;
}

// Packets of a stream parser grow and shrink at their begin.
U64 adjust_stream(SkBuff& skb, std::int32_t by, std::uint32_t mode, U64 flags) {
  const std::uint32_t bytes = static_cast<std::uint32_t>(by < 0 ? -std::int64_t{by} : by);
  if (flags != 0 || mode != 0) return negative(EINVAL);
  if (bytes > kMostAdjustment) return negative(EFAULT);
  if (by < 0) {
    if (bytes > length_of(skb)) return negative(ENOMEM);
    move_begin(skb, bytes);
  } else {
    if (headroom(skb) < bytes) return negative(ENOMEM);
    move_begin(skb, -static_cast<std::ptrdiff_t>(bytes));
    std::memset(skb.data, 0, bytes);
  }
  return 0;
}

// Puts a VLAN tag behind the addresses of the Ethernet header.
void insert_tag(SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) {
  move_begin(skb, -static_cast<std::ptrdiff_t>(kVlanHeader));
  std::memmove(skb.data, skb.data + kVlanHeader, 12);
  const std::uint16_t tag[2] = {swap16(protocol), swap16(tci)};
  std::memcpy(skb.data + 12, tag, sizeof tag);
  skb.mac_header -= kVlanHeader;
  skb.network_header -= kVlanHeader;
  set_protocol(skb, protocol);
}

// Takes the tag behind the addresses out. False: the packet is too short to have one.
bool remove_tag(SkBuff& skb, std::uint16_t& tci) {
  if (length_of(skb) < kEthernetHeader + kVlanHeader) return false;
  std::uint16_t tag[2];  // its control information, and what follows
  std::memcpy(tag, skb.data + 14, sizeof tag);
  tci = swap16(tag[0]);
  constexpr std::uint16_t kFirstProtocol = 0x0600, kRaw8023 = 0x0001, k8022 = 0x0004;
  std::uint16_t protocol = swap16(tag[1]);
  if (protocol < kFirstProtocol) {  // a length: IPX over raw 802.3, or 802.2
    std::uint16_t first = 0;
    if (length_of(skb) >= kEthernetHeader + kVlanHeader + 2) std::memcpy(&first, skb.data + 18, 2);
    protocol = first == 0xffff ? kRaw8023 : k8022;
  }
  std::memmove(skb.data + kVlanHeader, skb.data, 12);
  move_begin(skb, kVlanHeader);
  skb.mac_header += kVlanHeader;
  set_protocol(skb, protocol);
  if (skb.network_header < skb.data + kEthernetHeader) skb.network_header = skb.data + kEthernetHeader;
  return true;
}

void set_tag(SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) {
  skb.vlan_proto = swap16(protocol);
  skb.vlan_tci = tci;
  skb.vlan_present = 1;
}

}  // namespace

U64 skb_adjust_room(Run& run, U64 context, U64 by_arg, U64 mode_arg, U64 flags, U64) {
  auto& skb = at<SkBuff>(context);
  const auto by = static_cast<std::int32_t>(by_arg);
  const auto mode = static_cast<std::uint32_t>(mode_arg);
  if (run.program_type == static_cast<std::uint32_t>(abi::ProgType::kSkSkb))
    return adjust_stream(skb, by, mode, flags);
  const auto bytes = static_cast<std::uint32_t>(by < 0 ? -std::int64_t{by} : by);
  const std::uint16_t protocol = protocol_of(skb);
  if ((flags & ~kAllAdjustFlags) != 0) return negative(EINVAL);
  if (bytes > kMostAdjustment) return negative(EFAULT);
  if (!is_ip(protocol) || mode > kMac) return negative(kEnotsupp);
  std::uint32_t least = ip_header_bytes(protocol);
  const std::uint32_t offset = mac_header_bytes(skb) + (mode == kNet ? least : 0);
  if ((flags & kDecap) != 0) {
    if (by >= 0 || (flags & kDecap) == kDecap) return negative(EINVAL);
    least = (flags & kDecapIpv4) != 0 ? kIpv4Header : kIpv6Header;
  }
  const auto network_bytes = static_cast<std::uint32_t>(skb.data_end - skb.network_header);
  if (by < 0 && (bytes >= network_bytes || network_bytes - bytes < least)) return negative(kEnotsupp);
  if (by >= 0 && length_of(skb) + bytes > kMostSkbBytes && skb.gso_size == 0) return negative(kEnotsupp);
  const U64 result = by < 0 ? shrink(skb, offset, bytes, flags) : grow(skb, offset, bytes, flags);
  if (result == 0 && (flags & kNoCsumReset) == 0) skb.verified_checksums = 0;
  return result;
}

U64 skb_change_proto(Run&, U64 context, U64 protocol_arg, U64 flags, U64, U64) {
  auto& skb = at<SkBuff>(context);
  constexpr std::uint32_t kDifference = kIpv6Header - kIpv4Header;
  const std::uint16_t from = protocol_of(skb), to = swap16(static_cast<std::uint16_t>(protocol_arg));
  if (flags != 0) return negative(EINVAL);
  if (!is_ip(from) || !is_ip(to) || from == to) return negative(kEnotsupp);
  const std::uint32_t offset = mac_header_bytes(skb);
  if (to == kProtocolIpv6) {
    if (!has_room_for_headers(skb, offset, kDifference)) return negative(ENOMEM);
    push_network_header(skb, offset, kDifference);
  } else {
    if (offset + kDifference > length_of(skb)) return negative(ENOMEM);
    pop_network_header(skb, offset, kDifference);
  }
  set_protocol(skb, to);
  clear_hash(skb);
  return 0;
}

U64 skb_change_tail(Run&, U64 context, U64 length_arg, U64 flags, U64, U64) {
  auto& skb = at<SkBuff>(context);
  const auto length = static_cast<std::uint32_t>(length_arg);
  const std::ptrdiff_t least = skb.network_header - skb.data;
  if (flags != 0 || length > kMostSkbBytes || std::ptrdiff_t{length} < least) return negative(EINVAL);
  if (skb.encapsulation != 0) return negative(kEnotsupp);
  const std::uint32_t before = length_of(skb);
  if (length > before) {
    if (length - before > static_cast<U64>(skb.end - skb.data_end)) return negative(ENOMEM);
    std::memset(skb.data_end, 0, length - before);
  }
  skb.data_end = skb.data + length;
  skb.len = length;
  skb.gso_size = 0;
  skb.gso_segs = 0;
  return 0;
}

U64 skb_change_head(Run&, U64 context, U64 bytes_arg, U64 flags, U64, U64) {
  auto& skb = at<SkBuff>(context);
  const auto bytes = static_cast<std::uint32_t>(bytes_arg);
  const std::uint32_t length = length_of(skb) + bytes;
  if (flags != 0 || (skb.gso_size == 0 && length > kMostSkbBytes) || length < bytes) return negative(EINVAL);
  if (headroom(skb) < bytes) return negative(ENOMEM);
  move_begin(skb, -static_cast<std::ptrdiff_t>(bytes));
  std::memset(skb.data, 0, bytes);
  skb.mac_header = skb.data;
  return 0;
}

U64 skb_vlan_push(Run&, U64 context, U64 protocol_arg, U64 tci, U64, U64) {
  auto& skb = at<SkBuff>(context);
  std::uint16_t protocol = swap16(static_cast<std::uint16_t>(protocol_arg));
  if (!is_vlan(protocol)) protocol = kProtocolVlan;
  if (skb.vlan_present != 0) {  // the tag so far goes into the packet
    if (skb.data != skb.mac_header) return negative(EINVAL);
    if (headroom(skb) < kVlanHeader || length_of(skb) < kEthernetHeader) return negative(ENOMEM);
    insert_tag(skb, swap16(static_cast<std::uint16_t>(skb.vlan_proto)),
               static_cast<std::uint16_t>(skb.vlan_tci));
  }
  set_tag(skb, protocol, static_cast<std::uint16_t>(tci));
  return 0;
}

U64 skb_vlan_pop(Run&, U64 context, U64, U64, U64, U64) {
  auto& skb = at<SkBuff>(context);
  std::uint16_t tci = 0;
  if (skb.vlan_present != 0) {
    skb.vlan_present = 0;
    skb.vlan_tci = 0;
    skb.vlan_proto = 0;
  } else {
    if (!is_vlan(protocol_of(skb))) return 0;
    if (skb.data != skb.mac_header) return negative(EINVAL);
    if (!remove_tag(skb, tci)) return negative(ENOMEM);
  }
  const std::uint16_t next = protocol_of(skb);  // a tag behind it takes its place
  if (!is_vlan(next)) return 0;
  if (skb.data != skb.mac_header) return negative(EINVAL);
  if (!remove_tag(skb, tci)) return negative(ENOMEM);
  set_tag(skb, next, tci);
  return 0;
}

}  // namespace portolan::helper::functions
