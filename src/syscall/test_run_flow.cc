// SPDX-License-Identifier: Apache-2.0
// Programs that find out what flow a packet belongs to: flow_dissector.
#include <algorithm>

#include "abi/context.h"
#include "helper/packet.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

struct Dissection {
  helper::SkBuff skb{};
  abi::FlowKeys keys{};
  std::uint16_t protocol = 0;
  std::uint32_t flags = 0;
};

// Each run starts with what is known from the link layer.
void* reset(void* context, std::uint64_t) {
  auto& dissection = *static_cast<Dissection*>(context);
  dissection.keys = {};
  dissection.keys.n_proto = dissection.protocol;
  dissection.keys.nhoff = dissection.keys.thoff = kEthernetHeader;
  dissection.keys.flags = dissection.flags;
  return &dissection.skb;  // the program's context
}

// EINVAL: only flags are for the caller to say.
Result<std::uint32_t> flags_in(TestRun::Context<abi::FlowKeys>& asked) {
  if (!asked.had()) return 0;
  abi::FlowKeys flags_only{};
  flags_only.flags = asked->flags;
  if (std::memcmp(&flags_only, &*asked, sizeof flags_only) != 0) return fail(EINVAL);
  return asked->flags;
}

}  // namespace

Result<long> test_run_flow_dissector(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.flags != 0 || attr.cpu != 0 || attr.batch_size != 0) return fail(EINVAL);
  const std::uint32_t size = attr.data_size_in;
  if (size < kEthernetHeader || size > kPageSize) return fail(EINVAL);
  std::vector<std::byte> packet(size);
  TRY(test.call.caller.copy_in(packet.data(), attr.data_in, size));
  auto asked = TRY(test.context_in<abi::FlowKeys>());

  Dissection dissection;
  dissection.flags = TRY(flags_in(asked));
  std::memcpy(&dissection.protocol, packet.data() + 12, sizeof dissection.protocol);
  helper::SkBuff& skb = dissection.skb;
  skb.head = skb.data = packet.data();
  skb.end = skb.data_end = packet.data() + size;
  skb.len = size;
  skb.mac_header = skb.data;
  skb.network_header = skb.data + kEthernetHeader;
  skb.flow_keys = &dissection.keys;
  const TestRun::Outcome outcome = TRY(test.run(&dissection, reset));

  abi::FlowKeys& keys = dissection.keys;
  const auto end = static_cast<std::uint16_t>(size);
  keys.nhoff = std::clamp(keys.nhoff, static_cast<std::uint16_t>(kEthernetHeader), end);
  keys.thoff = std::clamp(keys.thoff, keys.nhoff, end);
  TRY(test.finish(reinterpret_cast<const std::byte*>(&keys), sizeof keys, outcome));
  TRY(test.context_out(asked));
  return 0;
}

}  // namespace portolan::syscall
