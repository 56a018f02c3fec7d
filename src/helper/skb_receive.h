// SPDX-License-Identifier: Apache-2.0
// What the kernel finds out about a packet before programs see it.
#pragma once
#include "base/result.h"
#include "helper/packet.h"

namespace portolan::helper {

inline constexpr std::uint32_t kEthernetHeader = 14;

// The link layer's header is [data, data + 14), and there: sets headers, protocol, kind and addresses, and
// leaves data behind the header. EINVAL: an IP packet without its header.
Result<void> receive(SkBuff& skb);

// Has the packet begin there for programs.
void set_begin(SkBuff& skb, std::byte* begin);

}  // namespace portolan::helper
