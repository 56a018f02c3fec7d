// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: cuts long packets, tells the next stage by metadata, and says how long everything was.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 lengths[4];

SEC("xdp")
int cut(struct xdp_md* ctx) {
  __u64 length = bpf_xdp_get_buff_len(ctx);
  lengths[0] += length;
  if (length > 60) {
    if (bpf_xdp_adjust_tail(ctx, -(int)(length - 60))) return XDP_ABORTED;
  } else if (bpf_xdp_adjust_tail(ctx, 8)) {
    return XDP_DROP;
  }
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  lengths[1] += end - data;
  if (bpf_xdp_adjust_meta(ctx, -8)) return XDP_ABORTED;
  void* meta = (void*)(long)ctx->data_meta;
  data = (void*)(long)ctx->data;
  if (meta + 8 > data) return XDP_ABORTED;
  *(__u64*)meta = 0x1122334455667788ull;
  lengths[2] += data - meta;
  __u8 last;
  if (bpf_xdp_load_bytes(ctx, 20, &last, 1)) return XDP_ABORTED;
  last ^= 0xff;
  if (bpf_xdp_store_bytes(ctx, 20, &last, 1)) return XDP_ABORTED;
  lengths[3] += bpf_xdp_adjust_meta(ctx, 3) != 0;
  return ctx->rx_queue_index + XDP_PASS;
}
char _license[] SEC("license") = "Dual BSD/GPL";
