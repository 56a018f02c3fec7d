// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: rewrites a destination address and port, with the checksums that depend on them.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_AT ETH_HLEN
#define TCP_AT (ETH_HLEN + sizeof(struct iphdr))

SEC("tc")
int nat(struct __sk_buff* skb) {
  void *data = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  struct iphdr* ip = data + IP_AT;
  struct tcphdr* tcp = data + TCP_AT;
  if (skb->protocol != bpf_htons(ETH_P_IP) || (void*)(tcp + 1) > end) return TC_ACT_OK;
  if (ip->ihl != 5 || ip->protocol != 6) return TC_ACT_OK;
  __be32 old_address = ip->daddr, new_address = bpf_htonl(0x0a0b0c0d);
  __be16 old_port = tcp->dest, new_port = bpf_htons(8080);
  long failed = bpf_l4_csum_replace(skb, TCP_AT + offsetof(struct tcphdr, check), old_address, new_address,
                                    BPF_F_PSEUDO_HDR | sizeof new_address);
  failed |= bpf_l3_csum_replace(skb, IP_AT + offsetof(struct iphdr, check), old_address, new_address,
                                sizeof new_address);
  failed |=
      bpf_skb_store_bytes(skb, IP_AT + offsetof(struct iphdr, daddr), &new_address, sizeof new_address, 0);
  failed |=
      bpf_l4_csum_replace(skb, TCP_AT + offsetof(struct tcphdr, check), old_port, new_port, sizeof new_port);
  failed |= bpf_skb_store_bytes(skb, TCP_AT + offsetof(struct tcphdr, dest), &new_port, sizeof new_port, 0);
  return failed ? TC_ACT_SHOT : TC_ACT_OK;
}
char _license[] SEC("license") = "Dual BSD/GPL";
