// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "helper/skb.h"
#include "helper/struct_image.h"

namespace portolan::helper {

// mac_header and transport_header of a packet in which nobody has looked for them yet.
inline constexpr std::uint64_t kNoHeader = UINT16_MAX;

// In an image of struct sk_buff: where the packet lies, and what all who show one know of it.
void show_skb(StructImage& image, const SkBuff& skb);

}  // namespace portolan::helper
