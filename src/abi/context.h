// SPDX-License-Identifier: Apache-2.0
// The contexts that programs are given, as their source writes them; of some, users write and read them in
// BPF_PROG_TEST_RUN.
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

// What follows is also what a program finds in memory: pointers are 64 bits wide. Addresses
// and remote ports are in network byte order, all else is in the host's.

struct Sock {  // struct bpf_sock
  std::uint32_t bound_dev_if;
  std::uint32_t family;
  std::uint32_t type;
  std::uint32_t protocol;
  std::uint32_t mark;
  std::uint32_t priority;
  std::uint32_t src_ip4;
  std::uint32_t src_ip6[4];
  std::uint32_t src_port;
  std::uint16_t dst_port;
  std::uint16_t padding;
  std::uint32_t dst_ip4;
  std::uint32_t dst_ip6[4];
  std::uint32_t state;
  std::int32_t rx_queue_mapping;
};
static_assert(sizeof(Sock) == 80 && offsetof(Sock, dst_ip4) == 52);

struct SockAddr {  // struct bpf_sock_addr
  std::uint32_t user_family;
  std::uint32_t user_ip4;
  std::uint32_t user_ip6[4];
  std::uint32_t user_port;
  std::uint32_t family;
  std::uint32_t type;
  std::uint32_t protocol;
  std::uint32_t msg_src_ip4;
  std::uint32_t msg_src_ip6[4];
  std::uint32_t padding;
  std::uint64_t sk;
};
static_assert(sizeof(SockAddr) == 72 && offsetof(SockAddr, msg_src_ip6) == 44);

struct SockOps {  // struct bpf_sock_ops
  std::uint32_t op;
  std::uint32_t reply[4];  // or args
  std::uint32_t family;
  std::uint32_t remote_ip4;
  std::uint32_t local_ip4;
  std::uint32_t remote_ip6[4];
  std::uint32_t local_ip6[4];
  std::uint32_t remote_port;
  std::uint32_t local_port;
  std::uint32_t is_fullsock;
  std::uint32_t snd_cwnd;
  std::uint32_t srtt_us;
  std::uint32_t bpf_sock_ops_cb_flags;
  std::uint32_t state;
  std::uint32_t rtt_min;
  std::uint32_t snd_ssthresh;
  std::uint32_t rcv_nxt;
  std::uint32_t snd_nxt;
  std::uint32_t snd_una;
  std::uint32_t mss_cache;
  std::uint32_t ecn_flags;
  std::uint32_t rate_delivered;
  std::uint32_t rate_interval_us;
  std::uint32_t packets_out;
  std::uint32_t retrans_out;
  std::uint32_t total_retrans;
  std::uint32_t segs_in;
  std::uint32_t data_segs_in;
  std::uint32_t segs_out;
  std::uint32_t data_segs_out;
  std::uint32_t lost_out;
  std::uint32_t sacked_out;
  std::uint32_t sk_txhash;
  std::uint64_t bytes_received;
  std::uint64_t bytes_acked;
  std::uint64_t sk;
  std::uint64_t skb_data;
  std::uint64_t skb_data_end;
  std::uint32_t skb_len;
  std::uint32_t skb_tcp_flags;
  std::uint64_t skb_hwtstamp;
};
static_assert(sizeof(SockOps) == 224 && offsetof(SockOps, sk) == 184);

struct SkMsgMd {  // struct sk_msg_md
  std::uint64_t data;
  std::uint64_t data_end;
  std::uint32_t family;
  std::uint32_t remote_ip4;
  std::uint32_t local_ip4;
  std::uint32_t remote_ip6[4];
  std::uint32_t local_ip6[4];
  std::uint32_t remote_port;
  std::uint32_t local_port;
  std::uint32_t size;
  std::uint64_t sk;
};
static_assert(sizeof(SkMsgMd) == 80);

struct SkReuseportMd {  // struct sk_reuseport_md
  std::uint64_t data;
  std::uint64_t data_end;
  std::uint32_t len;
  std::uint32_t eth_protocol;  // network byte order
  std::uint32_t ip_protocol;
  std::uint32_t bind_inany;
  std::uint32_t hash;
  std::uint64_t sk;
  std::uint64_t migrating_sk;
};
static_assert(sizeof(SkReuseportMd) == 56);

struct SkLookup {    // struct bpf_sk_lookup
  std::uint64_t sk;  // or, in BPF_PROG_TEST_RUN, the cookie of the one that was chosen
  std::uint32_t family;
  std::uint32_t protocol;
  std::uint32_t remote_ip4;
  std::uint32_t remote_ip6[4];
  std::uint16_t remote_port;
  std::uint16_t padding;
  std::uint32_t local_ip4;
  std::uint32_t local_ip6[4];
  std::uint32_t local_port;
  std::uint32_t ingress_ifindex;
  std::uint32_t padding_at_end;
};
static_assert(sizeof(SkLookup) == 72 && offsetof(SkLookup, local_port) == 60);

struct CgroupDevice {         // struct bpf_cgroup_dev_ctx
  std::uint32_t access_type;  // access << 16 | type of device
  std::uint32_t major;
  std::uint32_t minor;
};

struct Sysctl {  // struct bpf_sysctl
  std::uint32_t write;
  std::uint32_t file_pos;
};

struct Sockopt {  // struct bpf_sockopt
  std::uint64_t sk;
  std::uint64_t optval;
  std::uint64_t optval_end;
  std::int32_t level;
  std::int32_t optname;
  std::int32_t optlen;
  std::int32_t retval;
};
static_assert(sizeof(Sockopt) == 40);

struct FlowKeys {  // struct bpf_flow_keys
  std::uint16_t nhoff;
  std::uint16_t thoff;
  std::uint16_t addr_proto;
  std::uint8_t is_frag;
  std::uint8_t is_first_frag;
  std::uint8_t is_encap;
  std::uint8_t ip_proto;
  std::uint16_t n_proto;
  std::uint16_t sport;
  std::uint16_t dport;
  std::uint32_t ipv6_src[4];  // or two of IPv4
  std::uint32_t ipv6_dst[4];
  std::uint32_t flags;
  std::uint32_t flow_label;
};
static_assert(sizeof(FlowKeys) == 56);

struct Netfilter {      // struct bpf_nf_ctx
  std::uint64_t state;  // struct nf_hook_state *
  std::uint64_t skb;    // struct sk_buff *
};

struct NfHookState {  // struct nf_hook_state, as BPF_PROG_TEST_RUN takes it
  std::uint8_t hook;
  std::uint8_t pf;
  std::uint64_t in;
  std::uint64_t out;
  std::uint64_t sk;
  std::uint64_t net;
  std::uint64_t okfn;
};
static_assert(sizeof(NfHookState) == 48);

inline constexpr std::uint32_t kPtRegsBytes = 21 * 8;  // struct pt_regs of x86-64

struct PerfEventData {  // struct bpf_perf_event_data
  std::uint64_t regs[kPtRegsBytes / 8];
  std::uint64_t sample_period;
  std::uint64_t addr;
};
static_assert(sizeof(PerfEventData) == 184);

}  // namespace portolan::abi
