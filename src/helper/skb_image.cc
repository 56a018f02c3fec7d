// SPDX-License-Identifier: Apache-2.0
#include "helper/skb_image.h"

namespace portolan::helper {

void show_skb(StructImage& image, const SkBuff& skb) {
  const auto from_head = [&skb](const std::byte* at) { return static_cast<std::uint64_t>(at - skb.head); };
  image.set("len", skb.len);
  image.set("head", reinterpret_cast<std::uintptr_t>(skb.head));
  image.set("data", reinterpret_cast<std::uintptr_t>(skb.data));
  image.set("tail", from_head(skb.data_end));
  image.set("end", from_head(skb.end));
  image.set("mac_header", skb.mac_header != nullptr ? from_head(skb.mac_header) : kNoHeader);
  image.set("network_header", skb.network_header != nullptr ? from_head(skb.network_header) : 0);
  image.set("protocol", skb.protocol);
  image.set("queue_mapping", skb.queue_mapping);
  image.set("mark", skb.mark);
  image.set("priority", skb.priority);
  image.set("skb_iif", skb.ingress_ifindex);
}

}  // namespace portolan::helper
