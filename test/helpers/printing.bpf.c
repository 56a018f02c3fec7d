// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int printing(struct xdp_md* context) {
  bpf_printk("%ld bytes", (void*)(long)context->data_end - (void*)(long)context->data);
  bpf_printk("%s: %d %d %d %d", "many", 1, 2, 3, 4);
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
