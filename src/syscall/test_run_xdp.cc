// SPDX-License-Identifier: Apache-2.0
#include "abi/context.h"
#include "abi/prog_flags.h"
#include "helper/packet.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kHeadroom = 256;  // XDP_PACKET_HEADROOM
constexpr std::uint32_t kFrame = kPageSize;
constexpr std::uint32_t kMostMetadata = 252;  // what skb_shared_info can say, and a multiple of 4
constexpr std::uint32_t kMostLiveBatch = 256;

using Context = TestRun::Context<abi::XdpMd>;

// EINVAL; EOPNOTSUPP: there is no network to send live frames to.
Result<void> check_flags(const TestRun& test) {
  const std::uint32_t attach_type = test.program.attributes().expected_attach_type;
  if (attach_type == static_cast<std::uint32_t>(abi::AttachType::kXdpDevmap) ||
      attach_type == static_cast<std::uint32_t>(abi::AttachType::kXdpCpumap))
    return fail(EINVAL);
  const abi::TestAttr& attr = test.attr;
  if ((attr.flags & ~abi::test_flag::kXdpLiveFrames) != 0) return fail(EINVAL);
  if ((attr.flags & abi::test_flag::kXdpLiveFrames) != 0)
    return fail(attr.batch_size > kMostLiveBatch ? E2BIG : EOPNOTSUPP);
  if (attr.batch_size != 0) return fail(EINVAL);
  return {};
}

// Bytes of metadata before the packet. EINVAL.
Result<std::uint32_t> metadata_bytes(const TestRun& test, Context& context) {
  if (!context.had()) return 0;
  const std::uint32_t bytes = context->data;
  if (context->data_meta != 0 || context->data_end > test.attr.data_size_in || bytes > context->data_end)
    return fail(EINVAL);
  if (bytes % 4 != 0 || bytes > kMostMetadata || bytes > kHeadroom - helper::kXdpFrameBytes)
    return fail(EINVAL);
  return bytes;
}

Result<void> check_device(Context& context) {
  if (!context.had()) return {};
  if (context->egress_ifindex != 0) return fail(EINVAL);
  if (context->ingress_ifindex == 0 && context->rx_queue_index != 0) return fail(EINVAL);
  if (context->ingress_ifindex > kLoopback) return fail(ENODEV);
  if (context->rx_queue_index != 0) return fail(EINVAL);
  return {};
}

// What of the caller's bytes lies behind the linear part, in fragments of a page each. Programs of this
// library never see it: it is handed back as it came. ENOMEM: more than a packet can have.
Result<std::vector<std::byte>> copy_fragments(const TestRun& test, std::uint32_t linear) {
  constexpr std::uint32_t kMostFragments = 17;
  const std::uint32_t size = test.attr.data_size_in - linear;
  std::vector<std::byte> fragments(std::min<std::uint64_t>(size, kMostFragments * kPageSize));
  TRY(test.call.caller.copy_in(fragments.data(), test.attr.data_in + linear, fragments.size()));
  if (fragments.size() < size) return fail(ENOMEM);
  return fragments;
}

}  // namespace

Result<long> test_run_xdp(const TestRun& test) {
  TRY(check_flags(test));
  Context context = TRY(test.context_in<abi::XdpMd>());
  const std::uint32_t metadata = TRY(metadata_bytes(test, context));
  const std::uint32_t headroom = kHeadroom - metadata, size = test.attr.data_size_in;
  const std::uint32_t linear =
      std::min(context.had() ? context->data_end : size, kFrame - headroom - helper::kSharedInfoBytes);
  if (size - metadata < kEthernetHeader) return fail(EINVAL);
  std::vector<std::byte> frame(kFrame);
  TRY(test.call.caller.copy_in(frame.data() + headroom, test.attr.data_in, linear));
  TRY(check_device(context));
  const std::vector<std::byte> fragments = TRY(copy_fragments(test, linear));

  helper::NetDevice loopback{kLoopback};
  helper::RxQueue queue{&loopback, 0};
  helper::XdpBuff xdp{};
  xdp.data_hard_start = frame.data();
  xdp.data_meta = frame.data() + headroom;
  xdp.data = xdp.data_meta + metadata;
  xdp.data_end = xdp.data_meta + linear;
  xdp.rxq = &queue;
  xdp.frame_sz = kFrame;
  const TestRun::Outcome outcome = TRY(test.run(&xdp));

  if (context.had()) {
    context->data = static_cast<std::uint32_t>(xdp.data - xdp.data_meta);
    context->data_end = static_cast<std::uint32_t>(xdp.data_end - xdp.data_meta);
  }
  std::vector<std::byte> packet(xdp.data_meta, xdp.data_end);
  packet.insert(packet.end(), fragments.begin(), fragments.end());
  TRY(test.finish(packet.data(), static_cast<std::uint32_t>(packet.size()), outcome));
  TRY(test.context_out(context));
  return 0;
}

}  // namespace portolan::syscall
