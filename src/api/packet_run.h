// SPDX-License-Identifier: Apache-2.0
// Packets of the host's as the kernel's own, which is what programs see.
#pragma once
#include "helper/packet.h"
#include "helper/skb_receive.h"
#include "portolan/hook.hpp"

namespace portolan::detail {

inline bool is_whole(const Packet& packet) {
  return packet.offset <= packet.room.size() && packet.size <= packet.room.size() - packet.offset &&
         packet.size >= helper::kEthernetHeader && packet.room.size() <= UINT32_MAX;
}

inline void take_back(Packet& packet, const std::byte* begin, const std::byte* end) {
  packet.offset = static_cast<std::size_t>(begin - packet.room.data());
  packet.size = static_cast<std::size_t>(end - begin);
}

// run(XdpBuff&) with a packet that is_whole().
template <class Run>
auto with_xdp_buff(std::uint32_t ifindex, Packet& packet, Run&& run) {
  helper::NetDevice device{ifindex};
  helper::RxQueue queue{&device, packet.rx_queue};
  helper::XdpBuff xdp{};
  xdp.data_hard_start = packet.room.data();
  xdp.data_meta = xdp.data = xdp.data_hard_start + packet.offset;
  xdp.data_end = xdp.data + packet.size;
  xdp.rxq = &queue;
  xdp.frame_sz = static_cast<std::uint32_t>(packet.room.size());
  const auto result = run(xdp);
  take_back(packet, xdp.data, xdp.data_end);
  return result;
}

// *result = run(SkBuff&) likewise; programs see the packet from its Ethernet header on, or from what comes
// after. EINVAL: an IP packet without its header.
template <class Run, class R>
Result<void> with_sk_buff(bool is_link_layer, std::uint32_t ifindex, Packet& packet, R* result, Run&& run) {
  helper::SkBuff skb{};
  skb.head = packet.room.data();
  skb.end = skb.head + packet.room.size();
  skb.data = skb.head + packet.offset;
  skb.data_end = skb.data + packet.size;
  if (!helper::receive(skb)) return fail(EINVAL);
  helper::set_begin(skb, is_link_layer ? skb.mac_header : skb.network_header);
  skb.ifindex = skb.ingress_ifindex = ifindex;
  skb.queue_mapping = packet.rx_queue;
  skb.mark = packet.mark;
  skb.priority = packet.priority;
  skb.wire_len = skb.len;
  *result = run(skb);
  packet.mark = skb.mark;
  packet.priority = skb.priority;
  take_back(packet, is_link_layer ? skb.data : skb.mac_header, skb.data_end);
  return {};
}

}  // namespace portolan::detail
