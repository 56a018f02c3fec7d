// SPDX-License-Identifier: Apache-2.0
// The contexts that packet programs are given, as users write and read them in BPF_PROG_TEST_RUN.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::abi {

struct XdpMd {         // struct xdp_md
  std::uint32_t data;  // here and below: offsets into the buffer
  std::uint32_t data_end;
  std::uint32_t data_meta;
  std::uint32_t ingress_ifindex;
  std::uint32_t rx_queue_index;
  std::uint32_t egress_ifindex;
};
static_assert(sizeof(XdpMd) == 24);

struct SkBuffContext {  // struct __sk_buff
  std::uint32_t len;
  std::uint32_t pkt_type;
  std::uint32_t mark;
  std::uint32_t queue_mapping;
  std::uint32_t protocol;
  std::uint32_t vlan_present;
  std::uint32_t vlan_tci;
  std::uint32_t vlan_proto;
  std::uint32_t priority;
  std::uint32_t ingress_ifindex;
  std::uint32_t ifindex;
  std::uint32_t tc_index;
  std::uint32_t cb[5];
  std::uint32_t hash;
  std::uint32_t tc_classid;
  std::uint32_t data;
  std::uint32_t data_end;
  std::uint32_t napi_id;
  std::uint32_t family;
  std::uint32_t remote_ip4;
  std::uint32_t local_ip4;
  std::uint32_t remote_ip6[4];
  std::uint32_t local_ip6[4];
  std::uint32_t remote_port;
  std::uint32_t local_port;
  std::uint32_t data_meta;
  std::uint64_t flow_keys;
  std::uint64_t tstamp;
  std::uint32_t wire_len;
  std::uint32_t gso_segs;
  std::uint64_t sk;
  std::uint32_t gso_size;
  std::uint8_t tstamp_type;
  std::uint8_t padding[3];
  std::uint64_t hwtstamp;
};
static_assert(sizeof(SkBuffContext) == 192 && offsetof(SkBuffContext, tstamp) == 152 &&
              offsetof(SkBuffContext, hwtstamp) == 184);

}  // namespace portolan::abi
