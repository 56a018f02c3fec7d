// SPDX-License-Identifier: Apache-2.0
// Hooks for packets.
#include <algorithm>
#include <cstring>

#include "abi/context.h"
#include "api/hook_state.h"
#include "api/packet_run.h"

namespace portolan {
namespace {

using detail::is_whole;
using Attached = hook::Hook::Attached;
using Programs = std::span<const Attached>;
using A = abi::AttachType;

constexpr int kXdpPass = 2, kXdpMost = 4, kXdpAborted = 0;
constexpr int kXmitDrop = 1, kXmitCongested = 2;  // NET_XMIT_*
constexpr int kTcxNext = -1, kTcxPass = 0, kTcxDrop = 2, kTcxRedirect = 7;

int run_xdp(vm::Runner& runner, Programs programs, std::uint32_t ifindex, Packet& packet) {
  const std::uint64_t action = detail::with_xdp_buff(ifindex, packet, [&](helper::XdpBuff& xdp) {
    std::uint64_t last = kXdpPass;
    for (const Attached& one : programs) last = detail::run_one(runner, one, &xdp);
    return last;
  });
  return action > kXdpMost ? kXdpAborted : static_cast<int>(action);
}

// As the kernel takes the results of TCX programs: what it does not know is as good as nothing.
int run_tcx(vm::Runner& runner, Programs programs, helper::SkBuff& skb) {
  int result = kTcxNext;
  for (const Attached& one : programs) {
    result = static_cast<int>(detail::run_one(runner, one, &skb));
    if (result != kTcxNext) break;
  }
  return result == kTcxPass || result == kTcxDrop || result == kTcxRedirect ? result : kTcxNext;
}

// All run, with a `cb` of their own; each has to let the packet pass. Egress programs may also ask for a
// notice of congestion.
int run_cgroup(vm::Runner& runner, Programs programs, bool is_egress, helper::SkBuff& skb) {
  bool passes = true, is_congested = false;
  for (const Attached& one : programs) {
    std::ranges::fill(skb.cb, 0);
    const auto result = static_cast<std::uint32_t>(detail::run_one(runner, one, &skb));
    passes &= (is_egress ? result & 1 : result) != 0;
    is_congested |= is_egress && result >> 1 != 0;
  }
  if (is_congested) return passes ? kXmitCongested : kXmitDrop;
  return passes ? 0 : -EPERM;
}

int run_skb(vm::Runner& runner, Programs programs, const hook::Key& key, Packet& packet) {
  const bool is_device = key.point == hook::Point::kDevice;
  const bool is_egress = key.attach_type == static_cast<std::uint32_t>(A::kCgroupInetEgress);
  const std::uint32_t ifindex = is_device ? static_cast<std::uint32_t>(key.number) : 0;
  int verdict = -EINVAL;
  (void)detail::with_sk_buff(is_device, ifindex, packet, &verdict, [&](helper::SkBuff& skb) {
    return is_device ? run_tcx(runner, programs, skb) : run_cgroup(runner, programs, is_egress, skb);
  });
  return verdict;
}

}  // namespace

PacketHook::PacketHook(std::unique_ptr<detail::HookState> state, int nothing_attached)
    : Hook(std::move(state)), nothing_attached_(nothing_attached) {}

void PacketHook::run_attached(std::span<Packet> packets, std::span<int> verdicts) const {
  const hook::Key& key = state_->hook.key();
  const bool is_xdp = key.attach_type == static_cast<std::uint32_t>(A::kXdp);
  const std::size_t all = std::min(packets.size(), verdicts.size());
  for (std::size_t first = 0; first < all; first += vm::kRunsAtOnce) {
    const std::size_t end = std::min(all, first + vm::kRunsAtOnce);
    const auto ran = state_->hook.run([&](vm::Runner& runner, Programs programs) {
      for (std::size_t i = first; i < end; ++i) {
        if (!is_whole(packets[i]))
          verdicts[i] = -EINVAL;
        else if (is_xdp)
          verdicts[i] = run_xdp(runner, programs, static_cast<std::uint32_t>(key.number), packets[i]);
        else
          verdicts[i] = run_skb(runner, programs, key, packets[i]);
      }
    });
    if (!ran)
      for (std::size_t i = first; i < end; ++i) verdicts[i] = nothing_attached_;
  }
}

int FlowHook::run_attached(const Packet& packet, std::span<std::byte> keys) const {
  if (!is_whole(packet)) return -EINVAL;
  // A dissector looks at the packet only.
  std::byte* const begin = packet.room.data() + packet.offset;
  const auto size = static_cast<std::uint32_t>(packet.size);
  abi::FlowKeys found{};
  std::memcpy(&found.n_proto, begin + 12, sizeof found.n_proto);
  found.nhoff = found.thoff = helper::kEthernetHeader;
  helper::SkBuff skb{};
  skb.head = skb.data = skb.mac_header = begin;
  skb.end = skb.data_end = begin + size;
  skb.network_header = begin + helper::kEthernetHeader;
  skb.len = size;
  skb.flow_keys = &found;
  constexpr int kContinue = 129;  // BPF_FLOW_DISSECTOR_CONTINUE
  int result = kContinue;
  (void)state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const Attached& one : programs) result = static_cast<int>(detail::run_one(runner, one, &skb));
  });
  const auto end = static_cast<std::uint16_t>(std::min<std::uint32_t>(size, UINT16_MAX));
  found.nhoff = std::clamp(found.nhoff, static_cast<std::uint16_t>(helper::kEthernetHeader), end);
  found.thoff = std::clamp(found.thoff, found.nhoff, end);
  const auto bytes = std::as_bytes(std::span(&found, 1));
  std::ranges::copy(bytes.first(std::min(keys.size(), bytes.size())), keys.begin());
  return result;
}

}  // namespace portolan
