// SPDX-License-Identifier: Apache-2.0
#include "hook/context_image.h"

#include "helper/packet.h"
#include "helper/skb_image.h"

namespace portolan::hook {
namespace {

// Structs of the kernel that point to each other: each stays where it is.
constexpr std::size_t kMostImages = 3;

bool has_skb(abi::ProgType type) {
  switch (type) {
    case abi::ProgType::kSocketFilter:
    case abi::ProgType::kSchedCls:
    case abi::ProgType::kSchedAct:
    case abi::ProgType::kCgroupSkb:
    case abi::ProgType::kLwtIn:
    case abi::ProgType::kLwtOut:
    case abi::ProgType::kLwtXmit:
    case abi::ProgType::kLwtSeg6local:
    case abi::ProgType::kSkSkb:
      return true;
    default:
      return false;
  }
}

bool has_words(abi::ProgType type) {
  switch (type) {
    case abi::ProgType::kTracing:
    case abi::ProgType::kLsm:
    case abi::ProgType::kSyscall:
    case abi::ProgType::kRawTracepoint:
    case abi::ProgType::kRawTracepointWritable:
    case abi::ProgType::kTracepoint:
    case abi::ProgType::kKprobe:
      return true;
    default:
      return false;
  }
}

std::uint64_t word_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace

ContextImage::ContextImage(object::Runtime& runtime, abi::ProgType type, std::uint64_t native)
    : runtime_(runtime), plain_(has_words(type) ? native : 0) {
  images_.reserve(kMostImages);
  const auto* const context = reinterpret_cast<const void*>(native);
  const Result<void> made = type == abi::ProgType::kXdp ? make_xdp(context)
                            : has_skb(type)             ? make_skb(context)
                                                        : Result<void>{};
  if (!made) images_.clear();  // there is no such type
}

Result<helper::StructImage*> ContextImage::add(const char* name) {
  images_.push_back(TRY(helper::StructImage::create(runtime_, name)));
  return &images_.back();
}

// What a packet's struct points to. Types that lack such a struct can have nobody look there.
Result<void> ContextImage::make_xdp(const void* native) {
  const auto& from = *static_cast<const helper::XdpBuff*>(native);
  const Result<helper::StructImage*> device = add("net_device"), queue = add("xdp_rxq_info");
  if (device && from.rxq != nullptr && from.rxq->dev != nullptr)
    (*device)->set("ifindex", from.rxq->dev->ifindex);
  if (queue && from.rxq != nullptr) (*queue)->set("queue_index", from.rxq->queue_index);
  if (queue && device) (*queue)->set("dev", **device);
  helper::StructImage& buff = *TRY(add("xdp_buff"));
  buff.set("data", word_of(from.data));
  buff.set("data_end", word_of(from.data_end));
  buff.set("data_meta", word_of(from.data_meta));
  buff.set("data_hard_start", word_of(from.data_hard_start));
  if (queue) buff.set("rxq", **queue);
  buff.set("frame_sz", from.frame_sz);
  buff.set("flags", from.flags);
  return {};
}

Result<void> ContextImage::make_skb(const void* native) {
  const auto& from = *static_cast<const helper::SkBuff*>(native);
  const Result<helper::StructImage*> device = add("net_device");
  if (device) (*device)->set("ifindex", from.ifindex);
  helper::StructImage& skb = *TRY(add("sk_buff"));
  helper::show_skb(skb, from);
  if (device) skb.set("dev", **device);
  skb.set("hash", from.hash);
  skb.set("vlan_proto", from.vlan_proto);
  skb.set("vlan_tci", from.vlan_tci);
  skb.set("tc_index", from.tc_index);
  skb.set("napi_id", from.napi_id);
  skb.set("tstamp", from.tstamp);
  // struct qdisc_skb_cb: two words, then what programs have as cb.
  std::uint32_t cb[12] = {from.len, from.tc_classid << 16};
  std::copy(std::begin(from.cb), std::end(from.cb), cb + 2);
  skb.set("cb", std::as_bytes(std::span(cb)));
  return {};
}

}  // namespace portolan::hook
