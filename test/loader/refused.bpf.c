// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The verifier lets this one not pass.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int reads_beyond(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  return *(volatile char*)data;
}

char _license[] SEC("license") = "GPL";
