// SPDX-License-Identifier: Apache-2.0
#include "portolan/netfilter_hook.hpp"

#include "api/hook_state.h"
#include "api/packet_run.h"
#include "helper/netfilter.h"

namespace portolan {
namespace {

using Programs = std::span<const hook::Hook::Attached>;

// The Ethernet type of a family's packets, in network byte order.
std::uint32_t protocol_of(std::uint8_t family) {
  constexpr std::uint32_t kIpv4 = 0x0008, kIpv6 = 0xdd86;
  return family == static_cast<std::uint8_t>(NetfilterFamily::kIpv4) ? kIpv4 : kIpv6;
}

int run_until_dropped(vm::Runner& runner, Programs programs, void* context) {
  for (const auto& one : programs)
    if (static_cast<int>(detail::run_one(runner, one, context)) != NetfilterHook::kAccept)
      return NetfilterHook::kDrop;
  return NetfilterHook::kAccept;
}

}  // namespace

int NetfilterHook::run_attached(Packet& packet, std::uint32_t in, std::uint32_t out) const {
  if (!detail::is_whole(packet)) return -EINVAL;
  const hook::Key& key = state_->hook.key();
  const std::uint8_t family = hook::netfilter_family(key);
  const helper::NetfilterDevice own{in != 0 ? in : out, ""};
  auto shown = helper::NetfilterContext::create(
      state_->hook.runtime(),
      {.pf = family, .hook = hook::netfilter_hook(key), .in = {in, ""}, .out = {out, ""}, .device = own});
  int verdict = kAccept;
  if (!shown) return verdict;  // no program could be loaded for it
  (void)state_->hook.run([&](vm::Runner& runner, Programs programs) {
    const auto run = [&](helper::SkBuff& skb) {
      if (skb.protocol != protocol_of(family)) return -EINVAL;
      return run_until_dropped(runner, programs, shown->show(skb));
    };
    if (!detail::with_sk_buff(false, in, packet, &verdict, run)) verdict = -EINVAL;
  });
  return verdict;
}

}  // namespace portolan
