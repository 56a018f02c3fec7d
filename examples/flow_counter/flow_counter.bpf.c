// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: counts packets and bytes of each flow, and how often it gave each verdict.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow_counter.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct flow);
  __type(value, struct flow_count);
} flows SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, XDP_REDIRECT + 1);
  __type(key, __u32);
  __type(value, __u64);
} verdicts SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct configuration);
} configuration SEC(".maps");

// Set before the program is loaded: whether flows in different VLANs are different flows.
const volatile bool tell_vlans_apart = true;
// Variables: the loader reads them while, or after, packets go by.
__u32 shortest = 1 << 16, longest = 1;
__u64 not_ip;

struct vlan_header {
  __be16 tag, protocol;
};
struct ip6_option_header {
  __u8 next, length;  // in units of 8 bytes, beyond the first
};

// Where reading goes on; nothing behind `end` is there.
struct cursor {
  void *at, *end;
};

static __always_inline int read_ports(struct cursor* cursor, struct flow* flow) {
  if (flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP) {
    __be16* ports = cursor->at;
    if ((void*)(ports + 2) > cursor->end) return -1;
    flow->source_port = ports[0];
    flow->destination_port = ports[1];
  } else if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6) {
    __u8* icmp = cursor->at;
    if (icmp + 2 > (__u8*)cursor->end) return -1;
    flow->destination_port = bpf_htons((__u16)(icmp[0] << 8 | icmp[1]));
  }
  return 0;
}

static __always_inline int read_ipv4(struct cursor* cursor, struct flow* flow) {
  struct iphdr* ip = cursor->at;
  if ((void*)(ip + 1) > cursor->end || ip->ihl < 5) return -1;
  flow->version = 4;
  flow->protocol = ip->protocol;
  __builtin_memcpy(flow->source, &ip->saddr, 4);
  __builtin_memcpy(flow->destination, &ip->daddr, 4);
  if (ip->frag_off & bpf_htons(0x1fff)) return 0;  // a later fragment: the ports were in the first
  cursor->at += ip->ihl * 4;
  return read_ports(cursor, flow);
}

static __always_inline int read_ipv6(struct cursor* cursor, struct flow* flow) {
  struct ipv6hdr* ip = cursor->at;
  if ((void*)(ip + 1) > cursor->end) return -1;
  flow->version = 6;
  __builtin_memcpy(flow->source, &ip->saddr, 16);
  __builtin_memcpy(flow->destination, &ip->daddr, 16);
  __u8 next = ip->nexthdr;
  cursor->at = ip + 1;
  for (int i = 0; i < 4; i++) {
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) break;
    struct ip6_option_header* option = cursor->at;
    if ((void*)(option + 1) > cursor->end) return -1;
    next = option->next;
    cursor->at += (option->length + 1) * 8;
  }
  flow->protocol = next;
  return read_ports(cursor, flow);
}

// 0: an IP packet, and *flow says whose.
static __always_inline int read_flow(struct cursor* cursor, struct flow* flow) {
  struct ethhdr* ethernet = cursor->at;
  if ((void*)(ethernet + 1) > cursor->end) return -1;
  __be16 protocol = ethernet->h_proto;
  cursor->at = ethernet + 1;
  for (int i = 0; i < 2; i++) {
    if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
    struct vlan_header* vlan = cursor->at;
    if ((void*)(vlan + 1) > cursor->end) return -1;
    if (tell_vlans_apart) flow->vlan = vlan->tag & bpf_htons(0x0fff);
    protocol = vlan->protocol;
    cursor->at = vlan + 1;
  }
  if (protocol == bpf_htons(ETH_P_IP)) return read_ipv4(cursor, flow);
  if (protocol == bpf_htons(ETH_P_IPV6)) return read_ipv6(cursor, flow);
  return -1;
}

static __always_inline int count_packet(struct cursor* cursor, __u32 bytes) {
  const __u32 zero = 0;
  struct configuration* configured = bpf_map_lookup_elem(&configuration, &zero);
  if (!configured) return XDP_ABORTED;
  if (bytes < shortest) shortest = bytes;
  if (bytes > longest) longest = bytes;
  struct flow flow = {};
  if (read_flow(cursor, &flow)) {
    __sync_fetch_and_add(&not_ip, 1);
    return XDP_PASS;
  }
  if (configured->skip_icmp && (flow.protocol == IPPROTO_ICMP || flow.protocol == IPPROTO_ICMPV6))
    return XDP_PASS;
  struct flow_count* count = bpf_map_lookup_elem(&flows, &flow);
  if (!count) {
    struct flow_count fresh = {};
    bpf_map_update_elem(&flows, &flow, &fresh, BPF_NOEXIST);
    count = bpf_map_lookup_elem(&flows, &flow);
    if (!count) return XDP_ABORTED;  // the table is full
  }
  __sync_fetch_and_add(&count->packets, 1);
  __sync_fetch_and_add(&count->bytes, bytes);
  return configured->drop_port && flow.destination_port == bpf_htons(configured->drop_port) ? XDP_DROP
                                                                                            : XDP_PASS;
}

SEC("xdp")
int count_flows(struct xdp_md* ctx) {
  struct cursor cursor = {(void*)(long)ctx->data, (void*)(long)ctx->data_end};
  __u32 verdict = count_packet(&cursor, ctx->data_end - ctx->data);
  __u64* given = bpf_map_lookup_elem(&verdicts, &verdict);
  if (given) ++*given;
  return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
