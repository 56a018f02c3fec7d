// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: takes a VLAN tag off, or puts one on, by moving the head of the packet.
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vlan {
  __be16 tag, proto;
};

SEC("xdp")
int pop_vlan(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr *eth = data, copy;
  struct vlan* vlan = (void*)(eth + 1);
  if ((void*)(vlan + 1) > end || eth->h_proto != bpf_htons(ETH_P_8021Q)) return XDP_PASS;
  __builtin_memcpy(&copy, eth, sizeof copy);
  copy.h_proto = vlan->proto;
  if (bpf_xdp_adjust_head(ctx, sizeof *vlan)) return XDP_ABORTED;
  data = (void*)(long)ctx->data;
  end = (void*)(long)ctx->data_end;
  if (data + sizeof copy > end) return XDP_ABORTED;
  __builtin_memcpy(data, &copy, sizeof copy);
  return XDP_TX;
}

SEC("xdp")
int push_vlan(struct xdp_md* ctx) {
  struct ethhdr copy;
  if (bpf_xdp_load_bytes(ctx, 0, &copy, sizeof copy)) return XDP_ABORTED;
  if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct vlan))) return XDP_ABORTED;
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct vlan* vlan = (void*)(eth + 1);
  if ((void*)(vlan + 1) > end) return XDP_ABORTED;
  __be16 proto = copy.h_proto;
  copy.h_proto = bpf_htons(ETH_P_8021Q);
  __builtin_memcpy(eth, &copy, sizeof copy);
  vlan->tag = bpf_htons(42);
  vlan->proto = proto;
  return XDP_PASS;
}
char _license[] SEC("license") = "Dual BSD/GPL";
