// SPDX-License-Identifier: Apache-2.0
// LD_ABS and LD_IND: a program reads its packet as classic BPF did.
#pragma once
#include <cstdint>

#include "helper/packet.h"

namespace portolan::helper {

struct PacketLoad {
  std::uint64_t value;  // in host byte order
  bool is_there;        // false: beyond the packet, and the program ends with 0
};
// T: std::uint8_t, uint16_t, uint32_t. Negative offsets are those of classic BPF (SKF_NET_OFF, SKF_LL_OFF).
template <class T>
PacketLoad load_packet(const SkBuff& skb, std::int32_t offset);

}  // namespace portolan::helper
