// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: fields of the packet's context, read and written.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct seen {
  __u32 len, mark, priority, protocol, vlan_present, cb, hash, ifindex;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct seen);
} last SEC(".maps");

SEC("tc")
int mark(struct __sk_buff* skb) {
  __u32 zero = 0;
  struct seen* seen = bpf_map_lookup_elem(&last, &zero);
  if (!seen) return TC_ACT_SHOT;
  seen->len = skb->len;
  seen->mark = skb->mark;
  seen->priority = skb->priority;
  seen->protocol = bpf_ntohs(skb->protocol);
  seen->vlan_present = skb->vlan_present;
  seen->cb = skb->cb[2];
  skb->mark = skb->len * 3 + 1;
  skb->priority = 7;
  skb->cb[0] = skb->cb[1] + 1;
  skb->tc_index = 9;
  return skb->len & 1 ? TC_ACT_OK : TC_ACT_SHOT;
}
char _license[] SEC("license") = "Dual BSD/GPL";
