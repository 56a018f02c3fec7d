// SPDX-License-Identifier: Apache-2.0
#include "helper/packet_load.h"

#include <bit>

#include "sync/program_atomics.h"

namespace portolan::helper {
namespace {

// Offsets below zero: from the network header, or from the link layer's.
constexpr std::int32_t kFromNetworkHeader = -0x100000, kFromLinkLayer = -0x200000;

const std::byte* packet_place(const SkBuff& skb, std::int32_t offset, std::uint32_t bytes) {
  const std::byte* from = skb.data;
  const std::byte* least = skb.data;
  if (offset < 0) {
    least = skb.head;
    if (offset >= kFromNetworkHeader) {
      from = skb.network_header;
      offset -= kFromNetworkHeader;
    } else if (offset >= kFromLinkLayer && skb.mac_header != nullptr) {
      from = skb.mac_header;
      offset -= kFromLinkLayer;
    } else {
      return nullptr;
    }
  }
  const auto begin = std::bit_cast<std::intptr_t>(from) + offset;
  if (begin < std::bit_cast<std::intptr_t>(least) ||
      begin + static_cast<std::intptr_t>(bytes) > std::bit_cast<std::intptr_t>(skb.data_end))
    return nullptr;
  return from + offset;
}

}  // namespace

template <class T>
PacketLoad load_packet(const SkBuff& skb, std::int32_t offset) {
  const std::byte* const from = packet_place(skb, offset, sizeof(T));
  if (from == nullptr) return {0, false};
  const T bytes = sync::program::load<T>(from);
  return {sizeof(T) == 1 ? bytes : std::byteswap(bytes), true};
}

template PacketLoad load_packet<std::uint8_t>(const SkBuff&, std::int32_t);
template PacketLoad load_packet<std::uint16_t>(const SkBuff&, std::int32_t);
template PacketLoad load_packet<std::uint32_t>(const SkBuff&, std::int32_t);

}  // namespace portolan::helper
