// SPDX-License-Identifier: Apache-2.0
#include "abi/context.h"
#include "abi/prog_flags.h"
#include "helper/packet.h"
#include "syscall/live_frames.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kHeadroom = 256;  // XDP_PACKET_HEADROOM
constexpr std::uint32_t kFrame = kPageSize;
constexpr std::uint32_t kMostMetadata = 252;  // what skb_shared_info can say, and a multiple of 4

using Context = TestRun::Context<abi::XdpMd>;

bool is_live(const TestRun& test) { return (test.attr.flags & abi::test_flag::kXdpLiveFrames) != 0; }

// EINVAL; E2BIG: more live frames at a time than may be.
Result<void> check_flags(const TestRun& test) {
  const std::uint32_t attach_type = test.program.attributes().expected_attach_type;
  if (attach_type == static_cast<std::uint32_t>(abi::AttachType::kXdpDevmap) ||
      attach_type == static_cast<std::uint32_t>(abi::AttachType::kXdpCpumap))
    return fail(EINVAL);
  const abi::TestAttr& attr = test.attr;
  if ((attr.flags & ~abi::test_flag::kXdpLiveFrames) != 0) return fail(EINVAL);
  if (is_live(test)) {
    if (attr.batch_size > kMostLiveBatch) return fail(E2BIG);
  } else if (attr.batch_size != 0) {
    return fail(EINVAL);
  }
  return {};
}

// Bytes of metadata before the packet. EINVAL.
Result<std::uint32_t> metadata_bytes(const TestRun& test, Context& context) {
  if (!context.had()) return 0;
  const std::uint32_t bytes = context->data;
  if (context->data_meta != 0 || context->data_end > test.attr.data_size_in || bytes > context->data_end)
    return fail(EINVAL);
  if (is_live(test) && (test.attr.data_out != 0 || test.attr.ctx_out != 0)) return fail(EINVAL);
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

// A packet in a page, and, where one is not enough, in fragments of a page each behind it.
class Packet {
 public:
  explicit Packet(std::uint32_t metadata) : frame_(kFrame) {
    xdp.data_hard_start = frame_.data();
    xdp.data = xdp.data_hard_start + kHeadroom;
    xdp.data_meta = xdp.data - metadata;
    xdp.frame_sz = kFrame;
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;

  // The first of the caller's bytes, metadata among them.
  Result<void> copy_linear(const TestRun& test, std::uint32_t size) {
    xdp.data_end = xdp.data_meta + size;
    return test.call.caller.copy_in(xdp.data_meta, test.attr.data_in, size);
  }
  // Those behind them. ENOMEM: more than a packet can have.
  Result<void> copy_fragments(const TestRun& test, std::uint32_t linear) {
    const std::uint32_t size = test.attr.data_size_in - linear;
    if (size == 0) return {};
    constexpr std::uint32_t kPage = helper::XdpFragments::kPageBytes;
    const std::uint32_t held = std::min(size, helper::XdpFragments::kMost * kPage);
    pages_.resize(round_up(held, kPage));
    TRY(test.call.caller.copy_in(pages_.data(), test.attr.data_in + linear, held));
    if (held < size) return fail(ENOMEM);
    for (std::uint32_t done = 0; done < held; done += kPage)
      fragments_.of[fragments_.count++] = {pages_.data() + done, 0, std::min(held - done, kPage)};
    fragments_.bytes = held;
    xdp.fragments = &fragments_;
    return {};
  }

  std::uint32_t linear_size() const { return static_cast<std::uint32_t>(xdp.data_end - xdp.data_meta); }
  std::uint32_t size() const { return linear_size() + fragments_.bytes; }
  // What goes to the caller's room of `room` bytes, no more than size(): all fragments, and before them of
  // the linear part what room is left for. ENOSPC: not even for the fragments.
  Result<std::vector<std::byte>> bytes_for(std::uint32_t room) const {
    if (room < fragments_.bytes) return fail(ENOSPC);
    std::vector<std::byte> bytes(xdp.data_meta, xdp.data_meta + (room - fragments_.bytes));
    for (std::uint32_t i = 0; i < fragments_.count; ++i) {
      const helper::XdpFragment& fragment = fragments_.of[i];
      bytes.insert(bytes.end(), fragment.data(), fragment.data() + fragment.size);
    }
    return bytes;
  }

  helper::XdpBuff xdp{};

 private:
  std::vector<std::byte> frame_, pages_;
  helper::XdpFragments fragments_{};
};

Result<TestRun::Outcome> run_live(const TestRun& test, const helper::XdpBuff& packet) {
  LiveFrames frames(packet, test.attr.batch_size);
  const auto next = [](void* of, std::uint64_t verdict) -> void* {
    return static_cast<LiveFrames*>(of)->next(static_cast<std::uint32_t>(verdict));
  };
  Result<TestRun::Outcome> outcome = test.run(&frames, next);
  if (outcome) outcome->result = 0;  // there are many
  return outcome;
}

Result<void> finish(const TestRun& test, const Packet& packet, const TestRun::Outcome& outcome) {
  const std::uint32_t size = packet.size();
  if (test.attr.data_out == 0 || size == packet.linear_size())
    return test.finish(packet.xdp.data_meta, size, outcome);
  const std::uint32_t room = test.attr.data_size_out == 0 ? size : std::min(size, test.attr.data_size_out);
  return test.finish(TRY(packet.bytes_for(room)).data(), size, outcome);
}

}  // namespace

Result<long> test_run_xdp(const TestRun& test) {
  TRY(check_flags(test));
  Context context = TRY(test.context_in<abi::XdpMd>());
  const std::uint32_t metadata = TRY(metadata_bytes(test, context));
  const std::uint32_t size = test.attr.data_size_in;
  const std::uint32_t headroom = kHeadroom - metadata + (is_live(test) ? kLivePageHead : 0);
  const std::uint32_t linear =
      std::min(context.had() ? context->data_end : size, kFrame - headroom - helper::kSharedInfoBytes);
  if (is_live(test) && size > linear) return fail(EINVAL);
  if (size - metadata < kEthernetHeader) return fail(EINVAL);
  Packet packet(metadata);
  TRY(packet.copy_linear(test, linear));
  TRY(check_device(context));
  TRY(packet.copy_fragments(test, linear));

  helper::NetDevice loopback{kLoopback};
  helper::RxQueue queue{&loopback, 0};
  packet.xdp.rxq = &queue;
  const TestRun::Outcome outcome = TRY(is_live(test) ? run_live(test, packet.xdp) : test.run(&packet.xdp));
  if (context.had()) {
    const helper::XdpBuff& xdp = packet.xdp;
    context->data = static_cast<std::uint32_t>(xdp.data - xdp.data_meta);
    context->data_end = static_cast<std::uint32_t>(xdp.data_end - xdp.data_meta);
  }
  TRY(finish(test, packet, outcome));
  TRY(test.context_out(context));
  return 0;
}

}  // namespace portolan::syscall
