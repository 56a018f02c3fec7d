// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: drops what comes from addresses in a hash that grows by itself: three packets to port 23 and you are
// in.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __be32);
  __type(value, __u32);
} suspects SEC(".maps");
const volatile __u32 limit = 3;
__u64 dropped, passed;

SEC("xdp")
int block(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + sizeof *eth;
  if (data + sizeof *eth + sizeof *ip > end) return XDP_DROP;
  if (eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
  __be32 from = ip->saddr;
  __u32* seen = bpf_map_lookup_elem(&suspects, &from);
  if (seen && *seen >= limit) {
    __sync_fetch_and_add(&dropped, 1);
    return XDP_DROP;
  }
  if (ip->protocol == 6) {
    __u32 length = ip->ihl * 4;
    struct tcphdr* tcp = (void*)ip + length;
    if (length >= sizeof *ip && (void*)(tcp + 1) <= end && tcp->dest == bpf_htons(23)) {
      __u32 one = 1;
      if (!seen)
        bpf_map_update_elem(&suspects, &from, &one, BPF_NOEXIST);
      else
        __sync_fetch_and_add(seen, 1);
    }
  }
  __sync_fetch_and_add(&passed, 1);
  return XDP_PASS;
}
char _license[] SEC("license") = "Dual BSD/GPL";
