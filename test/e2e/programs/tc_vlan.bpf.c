// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: pushes a VLAN tag on what has none, pops it where there is one, and pulls in what it wants to see.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int tag(struct __sk_buff* skb) {
  if (skb->vlan_present) return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
  if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100)) return TC_ACT_SHOT;
  if (bpf_skb_pull_data(skb, 0)) return TC_ACT_SHOT;
  return skb->vlan_tci == 100 ? TC_ACT_PIPE : TC_ACT_UNSPEC;
}

SEC("tc")
int resize(struct __sk_buff* skb) {
  __u32 before = skb->len;
  if (bpf_skb_change_tail(skb, before + 6, 0)) return TC_ACT_SHOT;
  __u8 bytes[6] = {1, 2, 3, 4, 5, 6};
  if (bpf_skb_store_bytes(skb, before, bytes, sizeof bytes, 0)) return TC_ACT_SHOT;
  return skb->len - before;
}
char _license[] SEC("license") = "Dual BSD/GPL";
