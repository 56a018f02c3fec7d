// SPDX-License-Identifier: Apache-2.0
#include "helper/skb_receive.h"

#include <cerrno>
#include <cstring>

namespace portolan::helper {
namespace {

constexpr std::uint32_t kIpv4 = 0x0800, kIpv6 = 0x86dd, kRaw8023 = 0x0001,
                        kLlc8022 = 0x0004;            // Ethernet types
constexpr std::uint32_t kLeastEthernetType = 0x0600;  // less is a length
constexpr std::uint32_t kIpv4Header = 20, kIpv6Header = 40;
constexpr std::uint32_t kAfInet = 2, kAfInet6 = 10;

// The kind of packet, as the loopback device sees its destination (eth_type_trans): its own address is zeros,
// and so is that of its broadcasts.
std::uint32_t packet_type(const std::byte* destination) {
  constexpr std::uint32_t kHost = 0, kMulticast = 2, kOtherHost = 3;
  std::byte any{};
  for (int i = 0; i < 6; ++i) any |= destination[i];
  if (any == std::byte{0}) return kHost;
  return (destination[0] & std::byte{1}) != std::byte{0} ? kMulticast : kOtherHost;
}
std::uint32_t big_endian(const std::byte* bytes) {
  return std::to_integer<std::uint32_t>(bytes[0]) << 8 | std::to_integer<std::uint32_t>(bytes[1]);
}
// The Ethernet type; of the older framings, what the kernel has for them.
std::uint32_t ethernet_type(const std::byte* packet, std::uint32_t size) {
  const std::uint32_t type = big_endian(packet + 12);
  if (type >= kLeastEthernetType) return type;
  return size >= kEthernetHeader + 2 && big_endian(packet + 14) == 0xffff ? kRaw8023 : kLlc8022;
}

Result<void> find_addresses(SkBuff& skb, std::uint32_t type, std::uint32_t size) {
  const std::byte* const header = skb.network_header;
  if (type == kIpv4) {
    if (size < kIpv4Header) return fail(EINVAL);
    skb.family = kAfInet;
    std::memcpy(&skb.local_ip4, header + 12, 4);
    std::memcpy(&skb.remote_ip4, header + 16, 4);
  } else if (type == kIpv6) {
    if (size < kIpv6Header) return fail(EINVAL);
    skb.family = kAfInet6;
    std::memcpy(skb.local_ip6, header + 8, 16);
    std::memcpy(skb.remote_ip6, header + 24, 16);
  }
  return {};
}

}  // namespace

Result<void> receive(SkBuff& skb) {
  const auto size = static_cast<std::uint32_t>(skb.data_end - skb.data);
  const std::uint32_t type = ethernet_type(skb.data, size);
  skb.mac_header = skb.data;
  skb.pkt_type = packet_type(skb.data);
  skb.protocol = __builtin_bswap16(static_cast<std::uint16_t>(type));
  skb.data += kEthernetHeader;
  skb.network_header = skb.data;
  return find_addresses(skb, type, size - kEthernetHeader);
}

void set_begin(SkBuff& skb, std::byte* begin) {
  skb.data = skb.data_meta = begin;
  skb.len = static_cast<std::uint32_t>(skb.data_end - begin);
}

}  // namespace portolan::helper
