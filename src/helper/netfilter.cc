// SPDX-License-Identifier: Apache-2.0
#include "helper/netfilter.h"

#include <cstring>

#include "helper/skb_image.h"

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
  constexpr std::uint64_t kOwnBytes = 256;  // struct sk_buff, as far as truesize counts it
  show_skb(skb_, skb);
  skb_.set("truesize", static_cast<std::uint64_t>(skb.end - skb.head) + kSharedInfoBytes + kOwnBytes);
  skb_.set("transport_header", kNoHeader);
  skb_.set("pkt_type", skb.pkt_type);
  frame_->fields = {state_.address(), skb_.address()};
  frame_->packet = &skb;
  return frame_.get();
}

}  // namespace portolan::helper
