// SPDX-License-Identifier: Apache-2.0
#include "abi/context.h"
#include "abi/prog_flags.h"
#include "helper/packet.h"
#include "helper/skb_receive.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kHeadroom = 64;                                                 // NET_SKB_PAD
constexpr std::uint32_t kMostBytes = kPageSize - kHeadroom - helper::kSharedInfoBytes;  // of a packet
constexpr std::uint32_t kMostWireBytes = 65536, kMostSegments = 65535;

using Context = TestRun::Context<abi::SkBuffContext>;

bool is_zero(const std::byte* from, const std::byte* to) {
  for (; from != to; ++from)
    if (*from != std::byte{0}) return false;
  return true;
}

// Whether only fields are set that a caller may set.
bool fields_are_allowed(const abi::SkBuffContext& context) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&context);
  const auto clear = [bytes](std::size_t from, std::size_t to) { return is_zero(bytes + from, bytes + to); };
#define AFTER(field) (offsetof(abi::SkBuffContext, field) + sizeof(abi::SkBuffContext::field))
#define BEFORE(field) offsetof(abi::SkBuffContext, field)
  return clear(0, BEFORE(mark)) && clear(AFTER(mark), BEFORE(priority)) &&
         clear(AFTER(ifindex), BEFORE(cb)) && clear(AFTER(cb), BEFORE(tstamp)) &&
         clear(AFTER(gso_segs), BEFORE(gso_size)) && clear(AFTER(gso_size), BEFORE(hwtstamp));
#undef AFTER
#undef BEFORE
}

bool is_of_the_link_layer(abi::ProgType type) {
  return type == abi::ProgType::kSchedCls || type == abi::ProgType::kSchedAct;
}

// A packet in memory of its own, with room for what helpers make it grow by.
class Packet {
 public:
  static Result<Packet> copy_in(const TestRun& test) {
    Packet packet;
    const std::uint32_t size = test.attr.data_size_in;
    packet.memory_.resize(std::size_t{kFront} + helper::kMostSkbBytes);
    helper::SkBuff& skb = packet.skb;
    skb.head = packet.memory_.data();
    skb.end = skb.head + packet.memory_.size();
    skb.data = skb.head + kFront;
    skb.data_end = skb.data + size;
    TRY(test.call.caller.copy_in(skb.data, test.attr.data_in, size));
    return packet;
  }
  helper::SkBuff skb{};

 private:
  static constexpr std::uint32_t kFront = 4 * kPageSize + kHeadroom;

  std::vector<std::byte> memory_;
};

Result<void> apply(Context& context, helper::SkBuff& skb) {
  if (!context.had()) return {};
  if (!fields_are_allowed(*context)) return fail(EINVAL);
  skb.mark = context->mark;
  skb.priority = context->priority;
  skb.ingress_ifindex = context->ingress_ifindex;
  skb.tstamp = context->tstamp;
  std::memcpy(skb.cb, context->cb, sizeof skb.cb);
  if (context->wire_len != 0 && (context->wire_len < skb.len || context->wire_len > kMostWireBytes))
    return fail(EINVAL);
  skb.wire_len = context->wire_len == 0 ? skb.len : context->wire_len;
  if (context->gso_segs > kMostSegments) return fail(EINVAL);
  skb.gso_segs = static_cast<std::uint16_t>(context->gso_segs);
  skb.gso_size = static_cast<std::uint16_t>(context->gso_size);
  skb.hwtstamp = context->hwtstamp;
  return {};
}

void tell(const helper::SkBuff& skb, Context& context) {
  if (!context.had()) return;
  context->mark = skb.mark;
  context->priority = skb.priority;
  context->ingress_ifindex = skb.ingress_ifindex;
  context->ifindex = skb.ifindex;
  context->tstamp = skb.tstamp;
  std::memcpy(context->cb, skb.cb, sizeof skb.cb);
  context->wire_len = skb.wire_len;
  context->gso_segs = skb.gso_segs;
  context->hwtstamp = skb.hwtstamp;
}

}  // namespace

Result<long> test_run_skb(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if ((attr.flags & ~abi::test_flag::kSkbChecksumComplete) != 0 || attr.cpu != 0 || attr.batch_size != 0)
    return fail(EINVAL);
  if (attr.data_size_in < kEthernetHeader || attr.data_size_in > kMostBytes) return fail(EINVAL);
  Packet packet = TRY(Packet::copy_in(test));
  helper::SkBuff& skb = packet.skb;
  Context context = TRY(test.context_in<abi::SkBuffContext>());
  if (context.had() && context->ifindex > kLoopback) return fail(ENODEV);
  skb.ifindex = kLoopback;
  TRY(helper::receive(skb));
  const bool is_link_layer = is_of_the_link_layer(static_cast<abi::ProgType>(test.program.attributes().type));
  helper::set_begin(skb, is_link_layer ? skb.mac_header : skb.network_header);
  TRY(apply(context, skb));
  const TestRun::Outcome outcome = TRY(test.run(&skb));

  // What comes back has a link layer's header, of zeros where the program saw none.
  std::byte* begin = skb.data;
  if (!is_link_layer) {
    if (skb.data - skb.head < static_cast<std::ptrdiff_t>(kEthernetHeader)) return fail(ENOMEM);
    begin -= kEthernetHeader;
    std::memset(begin, 0, kEthernetHeader);
  }
  tell(skb, context);
  TRY(test.finish(begin, static_cast<std::uint32_t>(skb.data_end - begin), outcome));
  TRY(test.context_out(context));
  return 0;
}

}  // namespace portolan::syscall
