// SPDX-License-Identifier: Apache-2.0
// What goes with a packet from, or to, a device that is a tunnel: where its other end is, and options.
#include <bit>

#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/packet.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kIpv6 = 1, kWithFlags = 16;                                                   // BPF_F_TUNINFO_*
constexpr U64 kZeroChecksum = 2, kDontFragment = 4, kSequenceNumber = 8, kWithoutKey = 16;  // BPF_F_*
// Tunnel::flags
constexpr std::uint16_t kHasChecksum = 1 << 0, kHasKey = 1 << 2, kHasSequenceNumber = 1 << 3,
                        kIsNotFragmented = 1 << 8, kIsNotCached = 1 << 13,
                        kHasOptions = 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15;  // of Geneve, VXLAN, ERSPAN, GTP
constexpr std::uint32_t kFlowLabel = 0xf'ffff;

struct TunnelKey {  // struct bpf_tunnel_key
  std::uint32_t id;
  std::uint32_t remote[4];  // IPv4: the first, in host byte order
  std::uint8_t tos, ttl;
  std::uint16_t flags;  // network byte order
  std::uint32_t label;
  std::uint32_t local[4];
};
static_assert(sizeof(TunnelKey) == 44);

// That of today, or one of before that ended earlier.
bool is_size_of_key(std::uint32_t size) {
  return size == sizeof(TunnelKey) || size == offsetof(TunnelKey, local) ||
         size == offsetof(TunnelKey, label) || size == offsetof(TunnelKey, flags) ||
         size == offsetof(TunnelKey, remote[1]);
}

U64 refuse(U64 to, std::uint32_t size, int error) {
  clear(to, size);
  return negative(error);
}

}  // namespace

U64 skb_get_tunnel_key(Run&, U64 context, U64 to, U64 size_arg, U64 flags, U64) {
  const auto& skb = at<SkBuff>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (skb.has_tunnel == 0 || (flags & ~(kIpv6 | kWithFlags)) != 0) return refuse(to, size, EINVAL);
  const Tunnel& tunnel = skb.tunnel;
  if (((flags & kIpv6) != 0) != tunnel.is_ipv6) return refuse(to, size, EPROTO);
  if (!is_size_of_key(size) || (size == offsetof(TunnelKey, remote[1]) && tunnel.is_ipv6))
    return refuse(to, size, EINVAL);
  TunnelKey key{tunnel.id, {}, tunnel.tos, tunnel.ttl, 0, tunnel.label, {}};
  // What is told is the packet's way here: its source is the other end.
  std::memcpy(key.remote, tunnel.source, sizeof key.remote);
  std::memcpy(key.local, tunnel.destination, sizeof key.local);
  if ((flags & kWithFlags) != 0) key.flags = std::byteswap(tunnel.flags);
  return portolan_fault_copy(pointer(to), &key, size) ? 0 : negative(EFAULT);
}

U64 skb_set_tunnel_key(Run&, U64 context, U64 from, U64 size_arg, U64 flags, U64) {
  auto& skb = at<SkBuff>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  constexpr U64 kKnown = kIpv6 | kZeroChecksum | kDontFragment | kSequenceNumber | kWithoutKey;
  if ((flags & ~kKnown) != 0 || !is_size_of_key(size)) return negative(EINVAL);
  TunnelKey key{};
  if (!portolan_fault_copy(&key, bytes_at(from), size)) return negative(EFAULT);
  const bool is_ipv6 = (flags & kIpv6) != 0;
  if ((!is_ipv6 && key.label != 0) || key.flags != 0) return negative(EINVAL);
  const auto flag = [&](U64 asked, std::uint16_t gives) { return (flags & asked) != 0 ? gives : 0u; };
  Tunnel& tunnel = skb.tunnel;
  tunnel.is_ipv6 = is_ipv6;
  tunnel.id = key.id;
  tunnel.tos = key.tos;
  tunnel.ttl = key.ttl;
  tunnel.label = key.label & kFlowLabel;
  tunnel.flags = static_cast<std::uint16_t>(
      kIsNotCached | flag(kDontFragment, kIsNotFragmented) | flag(kSequenceNumber, kHasSequenceNumber) |
      ((flags & kZeroChecksum) == 0 ? kHasChecksum : 0u) | ((flags & kWithoutKey) == 0 ? kHasKey : 0u));
  const std::size_t address = is_ipv6 ? sizeof tunnel.source : sizeof tunnel.source[0];
  std::memset(tunnel.source, 0, sizeof tunnel.source);
  std::memset(tunnel.destination, 0, sizeof tunnel.destination);
  std::memcpy(tunnel.destination, key.remote, address);
  std::memcpy(tunnel.source, key.local, address);
  tunnel.options_size = 0;
  skb.has_tunnel = 1;
  return 0;
}

U64 skb_get_tunnel_opt(Run&, U64 context, U64 to, U64 size_arg, U64, U64) {
  const auto& skb = at<SkBuff>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (skb.has_tunnel == 0 || (skb.tunnel.flags & kHasOptions) == 0) return refuse(to, size, ENOENT);
  const std::uint32_t length = skb.tunnel.options_size;
  if (size < length) return refuse(to, size, ENOMEM);
  if (!portolan_fault_copy(pointer(to), skb.tunnel.options, length)) return negative(EFAULT);
  clear(to + length, size - length);
  return length;
}

U64 skb_set_tunnel_opt(Run&, U64 context, U64 from, U64 size_arg, U64, U64) {
  auto& skb = at<SkBuff>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (skb.has_tunnel == 0 || size % sizeof(std::uint32_t) != 0) return negative(EINVAL);
  if (size > sizeof skb.tunnel.options) return negative(ENOMEM);
  if (!portolan_fault_copy(skb.tunnel.options, bytes_at(from), size)) return negative(EFAULT);
  skb.tunnel.options_size = static_cast<std::uint8_t>(size);
  skb.tunnel.flags |= kHasOptions;
  return 0;
}

}  // namespace portolan::helper::functions
