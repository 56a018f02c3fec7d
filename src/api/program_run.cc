// SPDX-License-Identifier: Apache-2.0
// Runs of one program on many packets of the host's.
#include "api/program_run.h"

namespace portolan {
namespace {

using P = abi::ProgType;

constexpr std::uint32_t kIfindex = 1;  // as in BPF_PROG_TEST_RUN

bool takes_packets(P type) {
  switch (type) {
    case P::kXdp:
    case P::kSocketFilter:
    case P::kSchedCls:
    case P::kSchedAct:
    case P::kCgroupSkb:
      return true;
    default:
      return false;
  }
}

}  // namespace

Expected<void> Program::run(std::span<Packet> packets, std::span<std::uint32_t> results) const {
  const auto type = static_cast<P>(type_);
  const bool is_link_layer = type != P::kSocketFilter && type != P::kCgroupSkb;
  const auto one = [&](std::size_t i, auto& run) -> Result<void> {
    Packet& packet = packets[i];
    if (!detail::is_whole(packet)) return fail(EINVAL);
    const auto run_on = [&](auto& context) { return run(&context); };
    if (type != P::kXdp) return detail::with_sk_buff(is_link_layer, kIfindex, packet, &results[i], run_on);
    results[i] = detail::with_xdp_buff(kIfindex, packet, run_on);
    return {};
  };
  return detail::run_each(runtime_, fd_, takes_packets(type), packets.size(), results, one);
}

}  // namespace portolan
