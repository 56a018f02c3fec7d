// SPDX-License-Identifier: Apache-2.0
// Packets of the network stack, as sched_cls, socket filters, lwt … see them: their bytes and marks. The
// packet is one piece of memory that nobody else holds, so that pulling and unsharing have nothing to do.
#include "helper/skb.h"

#include "abi/prog_type.h"
#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/socket_data.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kRecomputeChecksum = 1, kInvalidateHash = 2;
constexpr std::uint32_t kMostOffset = 0x7fff'ffff;

bool is_in_packet(const SkBuff& skb, std::uint32_t offset, std::uint32_t length) {
  return offset <= kMostOffset && U64{offset} + length <= length_of(skb);
}

// What is loaded from. A flow dissector that is tried out has bytes, and no socket buffer that they would be
// of.
struct PacketBytes {
  const std::byte *data, *end, *mac_header, *network_header;
  bool is_loaded;
};
PacketBytes bytes_of(const Run& run, U64 context) {
  if (run.program_type == static_cast<std::uint32_t>(abi::ProgType::kSkReuseport)) {
    const auto& packet = at<ReuseportPacket>(context);
    return {bytes_at(packet.seen.data), bytes_at(packet.seen.data_end), packet.mac_header,
            packet.network_header, true};
  }
  const auto& skb = at<SkBuff>(context);
  return {skb.data, skb.data_end, skb.mac_header, skb.network_header, skb.flow_keys == nullptr};
}

// Of addresses, protocol and ports where they can be told: the same for all packets of a flow. The kernel's
// own depends on a secret of each boot.
std::uint32_t flow_hash(const SkBuff& skb) {
  const std::byte *begin = skb.network_header, *end = skb.data_end;
  std::uint32_t address_offset = 0, length = 0, ports = 0;
  if (protocol_of(skb) == kProtocolIpv4 && end - begin >= kIpv4Header) {
    address_offset = 12;
    length = 8;
    ports = (std::to_integer<std::uint32_t>(begin[0]) & 15) * 4;
  } else if (protocol_of(skb) == kProtocolIpv6 && end - begin >= kIpv6Header) {
    address_offset = 8;
    length = 32;
    ports = kIpv6Header;
  }
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325ull ^ skb.protocol;
  const auto add = [&](const std::byte* at, std::uint32_t size) {
    for (std::uint32_t i = 0; i < size; ++i)
      hash = (hash ^ std::to_integer<std::uint64_t>(at[i])) * 0x100'0000'01b3ull;
  };
  add(begin + address_offset, length);
  if (ports != 0 && end - begin >= static_cast<std::ptrdiff_t>(ports) + 4) add(begin + ports, 4);
  const auto folded = static_cast<std::uint32_t>(hash ^ hash >> 32);
  return folded == 0 ? 1 : folded;
}

// 0: the packet ends inside its VLAN tags.
std::uint16_t protocol_behind_tags(const SkBuff& skb) {
  std::uint16_t protocol = protocol_of(skb);
  for (std::uint32_t at = mac_header_bytes(skb); is_vlan(protocol); at += kVlanHeader) {
    if (at + kVlanHeader > length_of(skb)) return 0;
    std::memcpy(&protocol, skb.data + at + 2, 2);
    protocol = swap16(protocol);
  }
  return protocol;
}

}  // namespace

U64 skb_load_bytes(Run& run, U64 context, U64 offset_arg, U64 to, U64 length_arg, U64) {
  const PacketBytes packet = bytes_of(run, context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  const auto size = static_cast<U64>(packet.end - packet.data);
  if (packet.is_loaded && offset <= kMostOffset && U64{offset} + length <= size &&
      portolan_fault_copy(pointer(to), packet.data + offset, length))
    return 0;
  clear(to, length);
  return negative(EFAULT);
}

U64 skb_load_bytes_relative(Run& run, U64 context, U64 offset_arg, U64 to, U64 length_arg, U64 header) {
  const PacketBytes packet = bytes_of(run, context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  enum Header : std::uint32_t { kMac, kNetwork };
  const std::byte* const start = static_cast<std::uint32_t>(header) == kMac       ? packet.mac_header
                                 : static_cast<std::uint32_t>(header) == kNetwork ? packet.network_header
                                                                                  : nullptr;
  if (start != nullptr && offset <= 0xffff && start + offset <= packet.end &&
      length <= static_cast<U64>(packet.end - (start + offset)) &&
      portolan_fault_copy(pointer(to), start + offset, length))
    return 0;
  clear(to, length);
  return negative(EFAULT);
}

U64 skb_store_bytes(Run&, U64 context, U64 offset_arg, U64 from, U64 length_arg, U64 flags) {
  auto& skb = at<SkBuff>(context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  if ((flags & ~(kRecomputeChecksum | kInvalidateHash)) != 0) return negative(EINVAL);
  if (!is_in_packet(skb, offset, length)) return negative(EFAULT);
  if (!portolan_fault_copy(skb.data + offset, pointer(from), length)) return negative(EFAULT);
  if ((flags & kInvalidateHash) != 0) clear_hash(skb);
  return 0;
}

U64 skb_pull_data(Run&, U64 context, U64 length, U64, U64, U64) {
  return static_cast<std::uint32_t>(length) > length_of(at<SkBuff>(context)) ? negative(ENOMEM) : 0;
}

U64 skb_change_type(Run&, U64 context, U64 type, U64, U64, U64) {
  auto& skb = at<SkBuff>(context);
  constexpr std::uint32_t kOtherHost = 3;  // the last of those that may be
  const auto wanted = static_cast<std::uint32_t>(type);
  if (skb.pkt_type > kOtherHost || wanted > kOtherHost) return negative(EINVAL);
  skb.pkt_type = wanted;
  return 0;
}

U64 get_hash_recalc(Run&, U64 context, U64, U64, U64, U64) {
  auto& skb = at<SkBuff>(context);
  if (skb.hash_is_set == 0) {
    skb.hash = flow_hash(skb);
    skb.hash_is_set = 1;
  }
  return skb.hash;
}
U64 set_hash_invalid(Run&, U64 context, U64, U64, U64, U64) {
  clear_hash(at<SkBuff>(context));
  return 0;
}
U64 set_hash(Run&, U64 context, U64 hash, U64, U64, U64) {
  auto& skb = at<SkBuff>(context);
  skb.hash = static_cast<std::uint32_t>(hash);
  skb.hash_is_set = 1;
  return 0;
}

U64 skb_set_tstamp(Run&, U64 context, U64 time, U64 type_arg, U64, U64) {
  auto& skb = at<SkBuff>(context);
  enum Type : std::uint32_t { kRealTime, kMonotonic, kTai };
  const auto type = static_cast<std::uint32_t>(type_arg);
  if (protocol_of(skb) != kProtocolIpv4 && protocol_of(skb) != kProtocolIpv6) return negative(EOPNOTSUPP);
  if (type > kTai || (type != kRealTime && time == 0)) return negative(EINVAL);
  skb.tstamp = time;
  skb.tstamp_type = type;
  return 0;
}

// 1: the packet says that it met congestion; 0: it cannot say so.
U64 skb_ecn_set_ce(Run&, U64 context, U64, U64, U64, U64) {
  auto& skb = at<SkBuff>(context);
  std::byte* const header = skb.network_header;
  const std::uint16_t protocol = protocol_behind_tags(skb);
  const std::uint32_t header_bytes = protocol == kProtocolIpv4   ? kIpv4Header
                                     : protocol == kProtocolIpv6 ? kIpv6Header
                                                                 : 0;
  if (header_bytes == 0 || length_of(skb) < header_bytes || header + header_bytes > skb.data_end) return 0;
  constexpr std::uint32_t kNotCapable = 0, kCongestion = 3;
  if (protocol == kProtocolIpv6) {
    if ((std::to_integer<std::uint32_t>(header[1]) >> 4 & 3) == kNotCapable) return 0;
    header[1] |= std::byte{kCongestion << 4};
    return 1;
  }
  const std::uint32_t now = std::to_integer<std::uint32_t>(header[1]) & 3;
  if (now == kNotCapable || now == kCongestion) return now == kCongestion ? 1 : 0;
  std::uint16_t check;
  std::memcpy(&check, header + 10, 2);
  // The type of service grows by what is missing to kCongestion, so its checksum shrinks by that (RFC 1624).
  const std::uint32_t sum = check + swap16(0xfffb) + swap16(static_cast<std::uint16_t>(now + 1));
  check = static_cast<std::uint16_t>(sum + (sum >= 0xffff ? 1 : 0));
  std::memcpy(header + 10, &check, 2);
  header[1] |= std::byte{kCongestion};
  return 1;
}

}  // namespace portolan::helper::functions
