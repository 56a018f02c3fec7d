// SPDX-License-Identifier: Apache-2.0
#include "helper/netfilter.h"

#include <cstring>

namespace portolan::helper {

Result<void> NetfilterContext::set_device(object::Runtime& runtime, Image& image, const char* member,
                                          const NetfilterDevice& device) {
  if (device.ifindex == 0) return {};
  Image& made = devices_.emplace_back(TRY(Image::create(runtime, "net_device")));
  made.set("ifindex", device.ifindex);
  made.set("name", std::as_bytes(std::span(device.name, std::strlen(device.name))));
  image.set(member, made);
  return {};
}

Result<NetfilterContext> NetfilterContext::create(object::Runtime& runtime, const NetfilterState& state) {
  NetfilterContext context(TRY(Image::create(runtime, "sk_buff")),
                           TRY(Image::create(runtime, "nf_hook_state")));
  context.state_.set("pf", state.pf);
  context.state_.set("hook", state.hook);
  TRY(context.set_device(runtime, context.state_, "in", state.in));
  TRY(context.set_device(runtime, context.state_, "out", state.out));
  TRY(context.set_device(runtime, context.skb_, "dev", state.device));
  context.skb_.set("users", 1);
  return context;
}

void* NetfilterContext::show(SkBuff& skb) {
  constexpr std::uint64_t kOwnBytes = 256;         // struct sk_buff, as far as truesize counts it
  constexpr std::uint64_t kNoHeader = UINT16_MAX;  // nobody has looked for it yet
  const auto from_head = [&skb](const std::byte* at) { return static_cast<std::uint64_t>(at - skb.head); };
  skb_.set("len", skb.len);
  skb_.set("head", reinterpret_cast<std::uintptr_t>(skb.head));
  skb_.set("data", reinterpret_cast<std::uintptr_t>(skb.data));
  skb_.set("tail", from_head(skb.data_end));
  skb_.set("end", from_head(skb.end));
  skb_.set("truesize", from_head(skb.end) + kSharedInfoBytes + kOwnBytes);
  skb_.set("mac_header", skb.mac_header != nullptr ? from_head(skb.mac_header) : kNoHeader);
  skb_.set("network_header", skb.network_header != nullptr ? from_head(skb.network_header) : 0);
  skb_.set("transport_header", kNoHeader);
  skb_.set("protocol", skb.protocol);
  skb_.set("pkt_type", skb.pkt_type);
  skb_.set("queue_mapping", skb.queue_mapping);
  skb_.set("mark", skb.mark);
  skb_.set("priority", skb.priority);
  skb_.set("skb_iif", skb.ingress_ifindex);
  frame_->fields = {state_.address(), skb_.address()};
  frame_->packet = &skb;
  return frame_.get();
}

}  // namespace portolan::helper
