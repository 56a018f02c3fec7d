// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// flow_dissector: addresses and ports of IPv4, from the packet's own bytes.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct ports {
  __be16 source, destination;
};

SEC("flow_dissector")
int dissect(struct __sk_buff* skb) {
  struct bpf_flow_keys* keys = skb->flow_keys;
  void *data = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  if (keys->n_proto != bpf_htons(ETH_P_IP)) return BPF_DROP;
  struct iphdr* ip = data + ETH_HLEN;
  if (keys->nhoff != ETH_HLEN || (void*)(ip + 1) > end) return BPF_DROP;
  keys->addr_proto = ETH_P_IP;
  keys->ip_proto = ip->protocol;
  keys->ipv4_src = ip->saddr;
  keys->ipv4_dst = ip->daddr;
  keys->thoff = keys->nhoff + ip->ihl * 4;
  struct ports* ports = (void*)(ip + 1);
  if (ip->ihl != 5 || (void*)(ports + 1) > end) return BPF_OK;
  keys->sport = ports->source;
  keys->dport = ports->destination;
  keys->flow_label = keys->flags << 8;
  return BPF_OK;
}
char _license[] SEC("license") = "Dual BSD/GPL";
