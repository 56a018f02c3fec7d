// SPDX-License-Identifier: Apache-2.0
// Netfilter programs: they see a packet that is about to leave this machine, or, if the caller says so, one
// that the loopback device has received.
#include <bit>

#include "abi/context.h"
#include "helper/netfilter.h"
#include "helper/skb_receive.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kHeadroom = 64;  // NET_SKB_PAD
constexpr std::uint32_t kMostBytes = kPageSize - kHeadroom - helper::kSharedInfoBytes;
constexpr std::uint32_t kIpv4Header = 20, kIpv6Header = 40;
constexpr std::uint8_t kIpv4 = 2, kIpv6 = 10;                    // NFPROTO_*
constexpr std::uint8_t kLocalOut = 3;                            // NF_INET_LOCAL_OUT
constexpr std::uint32_t kIpv4Type = 0x0008, kIpv6Type = 0xdd86;  // Ethernet types, in network byte order
constexpr helper::NetfilterDevice kLoopbackDevice{kLoopback, "lo"};

using Context = TestRun::Context<abi::NfHookState>;

// Of what the caller says, the family and the hook count. Whichever it is, the packet has a device to go to,
// and none that it came from.
Result<helper::NetfilterState> state_of(Context& asked) {
  if (!asked.had()) return helper::NetfilterState{.pf = kIpv4, .hook = kLocalOut};
  if (asked->in != 0 || asked->out != 0 || asked->net != 0 || asked->sk != 0 || asked->okfn != 0)
    return fail(EINVAL);
  if (asked->pf != kIpv4 && asked->pf != kIpv6) return fail(EINVAL);
  return helper::NetfilterState{.pf = asked->pf, .hook = asked->hook, .out = kLoopbackDevice};
}

// A packet in memory as long as the kernel would take for it, which programs can tell.
class Packet {
 public:
  static Result<Packet> copy_in(const TestRun& test) {
    Packet packet;
    const std::uint32_t size = test.attr.data_size_in;
    packet.memory_.resize(std::bit_ceil(kHeadroom + size + helper::kSharedInfoBytes));
    helper::SkBuff& skb = packet.skb;
    skb.head = packet.memory_.data();
    skb.end = skb.head + packet.memory_.size() - helper::kSharedInfoBytes;
    skb.data = skb.head + kHeadroom;
    skb.data_end = skb.data + size;
    skb.len = size;
    TRY(test.call.caller.copy_in(skb.data, test.attr.data_in, size));
    return packet;
  }
  helper::SkBuff skb{};

 private:
  std::vector<std::byte> memory_;
};

// What has been received begins with an Ethernet header, and is of the hook's family.
Result<void> receive(helper::SkBuff& skb, std::uint8_t pf) {
  if (skb.len < helper::kEthernetHeader + kIpv4Header) return fail(EINVAL);
  const std::uint32_t size = skb.len;
  const Result<void> received = helper::receive(skb);
  if (skb.protocol != kIpv4Type && skb.protocol != kIpv6Type) return fail(EPROTO);
  TRY(received);
  if (skb.protocol == kIpv6Type && size < helper::kEthernetHeader + kIpv6Header) return fail(EINVAL);
  if (skb.protocol != (pf == kIpv4 ? kIpv4Type : kIpv6Type)) return fail(EINVAL);
  helper::set_begin(skb, skb.network_header);
  return {};
}

}  // namespace

Result<long> test_run_netfilter(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.flags != 0 || attr.cpu != 0 || attr.batch_size != 0) return fail(EINVAL);
  if (attr.data_size_in < kIpv4Header || attr.data_size_in > kMostBytes) return fail(EINVAL);
  Packet packet = TRY(Packet::copy_in(test));
  Context asked = TRY(test.context_in<abi::NfHookState>());
  helper::NetfilterState state = TRY(state_of(asked));
  if (state.hook != kLocalOut) {
    TRY(receive(packet.skb, state.pf));
    state.device = kLoopbackDevice;
  } else {
    packet.skb.protocol = state.pf == kIpv4 ? kIpv4Type : kIpv6Type;
  }
  helper::NetfilterContext context = TRY(helper::NetfilterContext::create(test.call.runtime, state));
  const TestRun::Outcome outcome = TRY(test.run(context.show(packet.skb)));
  TRY(test.finish(nullptr, 0, outcome));
  return 0;
}

}  // namespace portolan::syscall
