// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs that are timed whole: what a run costs, arithmetic, packets, calls, tail calls.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int empty(struct xdp_md* packet) { return XDP_PASS; }

/* 1,000 rounds of a mixing function: shifts, multiplications, divisions, branches. */
SEC("xdp") int arithmetic(struct xdp_md* packet) {
  __u64 a = packet->data_end - packet->data, sum = 0;
  for (int i = 0; i < 1000; ++i) {
    a = (a ^ (a >> 31)) * 0x7fb5d329728ea185ull;
    a ^= a << 13;
    if (a & 1)
      sum += a % 1021;
    else
      sum ^= (__u32)a / 7;
  }
  return (int)(sum & 0xff);
}

/* Headers down to TCP, with the checksum of the IPv4 header. */
SEC("xdp") int packets(struct xdp_md* packet) {
  void *data = (void*)(long)packet->data, *end = (void*)(long)packet->data_end;
  struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
  struct iphdr* ip = (void*)(ethernet + 1);
  if ((void*)(ip + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_TCP) return XDP_PASS;
  __u32 sum = 0;
  for (int i = 0; i < 10; ++i) sum += ((__u16*)ip)[i];
  sum = (sum & 0xffff) + (sum >> 16);
  if ((__u16) ~(sum + (sum >> 16)) != 0) return XDP_DROP;
  struct tcphdr* tcp = (void*)(ip + 1);
  if ((void*)(tcp + 1) > end) return XDP_DROP;
  if (tcp->dest == bpf_htons(80) && tcp->syn && !tcp->ack) return XDP_TX;
  return ip->ttl < 2 ? XDP_DROP : XDP_PASS;
}

static __attribute__((noinline)) __u32 mix(__u32 a, __u32 b) {
  a ^= b * 31;
  return a + (b >> 3);
}
/* 100 calls of a function. */
SEC("xdp") int calls(struct xdp_md* packet) {
  __u32 a = packet->data_end - packet->data;
  for (__u32 i = 0; i < 100; ++i) a = mix(a, i);
  return (int)(a & 0xff);
}

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, int(void*));
} next SEC(".maps");

/* A chain of 33 tail calls, to the limit. */
SEC("xdp") int tail_calls(struct xdp_md* packet) {
  bpf_tail_call(packet, &next, 0);
  return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
