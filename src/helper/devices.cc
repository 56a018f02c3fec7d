// SPDX-License-Identifier: Apache-2.0
// What helpers say of network devices: there is one, the loopback, which leads nowhere and routes nothing.
#include "abi/prog_type.h"
#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/skb.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint32_t kLoopback = 1;  // its ifindex
constexpr std::int32_t kMtu = 65536;
constexpr U64 kIngress = 1;  // BPF_F_INGRESS

}  // namespace

U64 check_mtu(Run& run, U64 context, U64 ifindex_arg, U64 mtu, U64 change, U64 flags) {
  constexpr U64 kSegments = 1;  // BPF_MTU_CHK_SEGS
  constexpr U64 kFits = 0, kTooLong = 1;
  const bool is_xdp = run.program_type == static_cast<std::uint32_t>(abi::ProgType::kXdp);
  const auto by = static_cast<std::int32_t>(change);
  std::int32_t wanted;
  if (!portolan_fault_copy(&wanted, pointer(mtu), sizeof wanted)) return negative(EFAULT);
  if ((flags & ~(is_xdp ? 0 : kSegments)) != 0) return negative(EINVAL);
  if ((flags & kSegments) != 0 && (by != 0 || wanted != 0)) return negative(EINVAL);
  const auto ifindex = static_cast<std::uint32_t>(ifindex_arg);
  if (ifindex > kLoopback) return negative(ENODEV);
  const auto header = static_cast<std::int32_t>(kEthernetHeader);
  std::int32_t length;
  if (wanted != 0)
    length = static_cast<std::int32_t>(static_cast<std::uint32_t>(wanted) + kEthernetHeader);
  else if (is_xdp)
    length = static_cast<std::int32_t>(at<XdpBuff>(context).data_end - at<XdpBuff>(context).data);
  else
    length = static_cast<std::int32_t>(length_of(at<SkBuff>(context)));
  length = static_cast<std::int32_t>(static_cast<std::uint32_t>(length) + static_cast<std::uint32_t>(by));
  // The segments of a packet that is to be cut are each short enough, whatever it is as a whole.
  const bool is_cut = !is_xdp && at<SkBuff>(context).gso_size != 0;
  const U64 verdict = length <= kMtu + header || is_cut ? kFits : kTooLong;
  return portolan_fault_copy(pointer(mtu), &kMtu, sizeof kMtu) ? verdict : negative(EFAULT);
}

U64 fib_lookup(Run&, U64, U64 parameters, U64 size, U64 flags, U64) {
  constexpr U64 kKnownFlags = 0x3f;
  struct Lookup {  // struct bpf_fib_lookup, as far as it is looked at
    std::uint8_t family, rest[7];
    std::uint32_t ifindex;
  } lookup;
  constexpr std::uint32_t kBytes = 64;
  if (static_cast<std::uint32_t>(size) < kBytes || (static_cast<std::uint32_t>(flags) & ~kKnownFlags) != 0)
    return negative(EINVAL);
  if (!portolan_fault_copy(&lookup, pointer(parameters), sizeof lookup)) return negative(EFAULT);
  constexpr std::uint8_t kIpv4 = 2, kIpv6 = 10;
  if (lookup.family != kIpv4 && lookup.family != kIpv6) return negative(EAFNOSUPPORT);
  return lookup.ifindex == kLoopback ? negative(kEnotsupp) : negative(ENODEV);
}

// The copy is lost: nobody is at the other end.
U64 clone_redirect(Run&, U64, U64 ifindex, U64 flags, U64, U64) {
  if ((flags & ~kIngress) != 0 || static_cast<std::uint32_t>(ifindex) != kLoopback) return negative(EINVAL);
  return 0;
}

// No packet has come through a tunnel.
U64 skb_get_xfrm_state(Run&, U64, U64, U64 to, U64 size, U64) {
  clear(to, static_cast<std::uint32_t>(size));
  return negative(EINVAL);
}

}  // namespace portolan::helper::functions
