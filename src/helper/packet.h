// SPDX-License-Identifier: Apache-2.0
// What the contexts of packet programs stand for: the verifier turns accesses to struct xdp_md and __sk_buff
// into accesses to these, as the kernel does to its own, helpers work on them, and a runner makes them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::helper {

struct NetDevice {
  std::uint32_t ifindex;
};
struct RxQueue {
  NetDevice* dev;
  std::uint32_t queue_index;
};
struct TxQueue {
  NetDevice* dev;
};

// What lies behind the linear part of an XDP packet (skb_shared_info): parts of pages, none of them empty.
struct XdpFragment {
  std::byte* page;
  std::uint32_t offset, size;
  std::byte* data() const { return page + offset; }
};
struct XdpFragments {
  static constexpr std::uint32_t kMost = 17;  // MAX_SKB_FRAGS
  static constexpr std::uint32_t kPageBytes = 4096;
  XdpFragment of[kMost];
  std::uint32_t count, bytes;
};

// struct xdp_buff; the first four where the kernel has them, so that translated programs read alike.
//
//   data_hard_start … data_meta … data … data_end … data_hard_start + frame_sz
struct XdpBuff {
  std::byte* data;
  std::byte* data_end;
  std::byte* data_meta;  // == data + 1: not supported
  std::byte* data_hard_start;
  RxQueue* rxq;
  TxQueue* txq;  // nullptr but for programs of a devmap
  std::uint32_t frame_sz;
  std::uint32_t flags;
  XdpFragments* fragments = nullptr;  // nullptr: the packet is linear
};
static_assert(offsetof(XdpBuff, data_end) == 8 && offsetof(XdpBuff, data_hard_start) == 24);

// Where a tunnel's ends are. Addresses are as programs give them, those of IPv6 in network byte order.
struct Tunnel {
  Tunnel() {}  // its bytes count where SkBuff::has_tunnel says so
  std::uint32_t id;
  std::uint32_t source[4], destination[4];  // IPv4: the first of each
  std::uint32_t label;
  std::uint16_t flags;
  std::uint8_t tos, ttl;
  bool is_ipv6;
  std::uint8_t options_size;
  std::byte options[255];  // IP_TUNNEL_OPTS_MAX
};

// struct sk_buff as far as programs see it, in host byte order unless said. The packet is linear.
//
//   head … data_meta … data … data_end … end
struct SkBuff {
  std::byte* data;
  std::byte* data_end;
  std::byte* data_meta;
  std::byte* head;
  std::byte* end;
  std::byte* mac_header;
  std::byte* network_header;
  void* sk;  // abi::Sock, of sk_skb programs; nullptr: others have none
  std::uint64_t tstamp;
  std::uint64_t hwtstamp;
  std::uint32_t len;
  std::uint32_t pkt_type;
  std::uint32_t mark;
  std::uint32_t queue_mapping;
  std::uint32_t protocol;  // network byte order, in the low 16 bits
  std::uint32_t vlan_present;
  std::uint32_t vlan_tci;
  std::uint32_t vlan_proto;  // network byte order
  std::uint32_t priority;
  std::uint32_t ingress_ifindex;
  std::uint32_t ifindex;
  std::uint32_t tc_index;
  std::uint32_t cb[5];
  std::uint32_t hash;
  std::uint32_t tc_classid;
  std::uint32_t napi_id;
  std::uint32_t family;
  std::uint32_t remote_ip4;  // network byte order, as the other addresses and remote_port
  std::uint32_t local_ip4;
  std::uint32_t remote_ip6[4];
  std::uint32_t local_ip6[4];
  std::uint32_t remote_port;
  std::uint32_t local_port;
  std::uint32_t wire_len;
  std::uint32_t gso_segs;
  std::uint32_t gso_size;
  std::uint32_t tstamp_type;
  // What only helpers see.
  std::uint32_t hash_is_set;
  std::uint32_t encapsulation;
  std::uint32_t
      verified_checksums;  // 0: CHECKSUM_NONE; else CHECKSUM_UNNECESSARY with csum_level + 1 of them
  void* flow_keys;         // abi::FlowKeys, of flow dissectors
  std::uint32_t has_tunnel;
  Tunnel tunnel;
};

// What the kernel takes of the room around a packet for itself.
inline constexpr std::uint32_t kXdpFrameBytes = 40;     // struct xdp_frame, at data_hard_start
inline constexpr std::uint32_t kSharedInfoBytes = 320;  // struct skb_shared_info, at the frame's end
// The longest packet that helpers make by growing one. Where `head` or `end` leave less room: ENOMEM.
inline constexpr std::uint32_t kMostSkbBytes = 4 * 4096 - kSharedInfoBytes;  // SKB_MAX_ALLOC

}  // namespace portolan::helper
