// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: answers ICMP echo requests: addresses change places, the checksum is mended, the packet goes back.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct icmp {
  __u8 type, code;
  __u16 checksum;
  __u32 rest;
};
#define ECHO 8
#define ECHO_REPLY 0

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

SEC("xdp")
int echo(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = (void*)(eth + 1);
  struct icmp* icmp = (void*)(ip + 1);
  if ((void*)(icmp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
  if (ip->ihl != 5 || ip->protocol != 1 || icmp->type != ECHO) return XDP_PASS;
  unsigned char mac[ETH_ALEN];
  __builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
  __builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
  __builtin_memcpy(eth->h_source, mac, ETH_ALEN);
  __be32 address = ip->daddr;
  ip->daddr = ip->saddr;
  ip->saddr = address;
  ip->ttl--;
  ip->check = 0;
  ip->check = fold(bpf_csum_diff(0, 0, (__be32*)ip, sizeof *ip, 0));
  struct icmp before = *icmp;
  icmp->type = ECHO_REPLY;
  icmp->checksum = fold(
      bpf_csum_diff((__be32*)&before, sizeof before, (__be32*)icmp, sizeof *icmp, ~before.checksum & 0xffff));
  return XDP_TX;
}
char _license[] SEC("license") = "Dual BSD/GPL";
