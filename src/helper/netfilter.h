// SPDX-License-Identifier: Apache-2.0
// What netfilter programs are shown: struct bpf_nf_ctx, and the kernel's own structs that it leads to.
#pragma once
#include <memory>
#include <vector>

#include "abi/context.h"
#include "helper/packet.h"
#include "helper/struct_image.h"

namespace portolan::helper {

struct NetfilterDevice {
  std::uint32_t ifindex = 0;  // 0: none
  const char* name = "";
};
// Where a packet is on its way.
struct NetfilterState {
  std::uint8_t pf, hook;  // NFPROTO_*, NF_INET_*
  NetfilterDevice in = {}, out = {};
  NetfilterDevice device = {};  // the packet's own
};

class NetfilterContext {
 public:
  // ENOENT …: there is no BTF of the machine's kernel, which says where the fields lie.
  static Result<NetfilterContext> create(object::Runtime& runtime, const NetfilterState& state);
  // The context of programs that are to see that packet. It is good until the next call.
  void* show(SkBuff& skb);
  // The packet behind a context.
  static SkBuff& packet_of(void* context) { return *static_cast<Frame*>(context)->packet; }

 private:
  using Image = StructImage;
  struct Frame {
    abi::Netfilter fields;
    SkBuff* packet;
  };
  NetfilterContext(Image skb, Image state)
      : frame_(std::make_unique<Frame>()), skb_(std::move(skb)), state_(std::move(state)) {}
  Result<void> set_device(object::Runtime& runtime, Image& image, const char* member,
                          const NetfilterDevice& device);

  std::unique_ptr<Frame> frame_;
  Image skb_, state_;
  std::vector<Image> devices_;  // that the members of both point to
};

}  // namespace portolan::helper
