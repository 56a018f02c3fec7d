// SPDX-License-Identifier: Apache-2.0
// What the helpers about packets of the network stack share.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "helper/packet.h"

namespace portolan::helper {

inline constexpr std::uint16_t kProtocolIpv4 = 0x0800, kProtocolIpv6 = 0x86dd;
inline constexpr std::uint16_t kProtocolVlan = 0x8100, kProtocolServiceVlan = 0x88a8;
inline constexpr std::uint32_t kIpv4Header = 20, kIpv6Header = 40, kEthernetHeader = 14, kVlanHeader = 4;

constexpr std::uint16_t swap16(std::uint16_t value) { return __builtin_bswap16(value); }

// Ethernet type, in host byte order.
inline std::uint16_t protocol_of(const SkBuff& skb) {
  return swap16(static_cast<std::uint16_t>(skb.protocol));
}
inline void set_protocol(SkBuff& skb, std::uint16_t protocol) { skb.protocol = swap16(protocol); }
inline bool is_vlan(std::uint16_t protocol) {
  return protocol == kProtocolVlan || protocol == kProtocolServiceVlan;
}

inline std::uint32_t length_of(const SkBuff& skb) {
  return static_cast<std::uint32_t>(skb.data_end - skb.data);
}
// Of the headers before the network's.
inline std::uint32_t mac_header_bytes(const SkBuff& skb) {
  return static_cast<std::uint32_t>(skb.network_header - skb.mac_header);
}
inline std::uint64_t headroom(const SkBuff& skb) { return static_cast<std::uint64_t>(skb.data - skb.head); }

inline void clear_hash(SkBuff& skb) {
  skb.hash = 0;
  skb.hash_is_set = 0;
}

// The packet begins `bytes` earlier, or later; headers stay where they are. Metadata goes, as when the stack
// moves packets.
inline void move_begin(SkBuff& skb, std::ptrdiff_t by) {
  skb.data += by;
  skb.data_meta = skb.data;
  skb.len = length_of(skb);
}

// Makes room for `bytes` zeros, or takes bytes out, `offset` bytes into the packet: what is before moves, and
// the headers with it. The caller has checked that both fit.
inline void push_network_header(SkBuff& skb, std::uint32_t offset, std::uint32_t bytes) {
  move_begin(skb, -static_cast<std::ptrdiff_t>(bytes));
  std::memmove(skb.data, skb.data + bytes, offset);
  std::memset(skb.data + offset, 0, bytes);
  skb.mac_header -= bytes;
  skb.network_header -= bytes;
}
inline void pop_network_header(SkBuff& skb, std::uint32_t offset, std::uint32_t bytes) {
  std::memmove(skb.data + bytes, skb.data, offset);
  move_begin(skb, bytes);
  skb.mac_header += bytes;
  skb.network_header += bytes;
}

}  // namespace portolan::helper
