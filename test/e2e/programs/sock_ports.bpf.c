// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Socket filter: lets through what goes to ports of a set, by bpf_skb_load_bytes.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8);
  __type(key, __u16);
  __type(value, __u64);
} ports SEC(".maps");
static const __u16 known[] = {53, 80, 443, 5353};

SEC("socket")
int ports_only(struct __sk_buff* skb) {
  struct iphdr ip;
  struct udphdr udp;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) < 0) return 0;
  if (ip.version != 4 || (ip.protocol != 17 && ip.protocol != 6)) return 0;
  if (bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4, &udp, 4) < 0) return 0;
  __u16 port = bpf_ntohs(udp.dest);
  for (int i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (port != known[i]) continue;
    __u64 *seen = bpf_map_lookup_elem(&ports, &port), one = 1;
    if (seen)
      ++*seen;
    else
      bpf_map_update_elem(&ports, &port, &one, BPF_ANY);
    return skb->len;
  }
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
