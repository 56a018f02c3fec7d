// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps and variables by BTF.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

const volatile __u32 step = 2;
__u32 limit = 10;
__u64 runs = 0;

SEC("xdp")
int limited(struct xdp_md* context) {
  __u32 size = context->data_end - context->data;
  __u64 one = 1, *count = bpf_map_lookup_elem(&seen, &size);
  if (count)
    __sync_fetch_and_add(count, 1);
  else
    bpf_map_update_elem(&seen, &size, &one, BPF_ANY);
  runs += step;
  return runs > limit ? XDP_DROP : XDP_PASS;
}

SEC("syscall")
int doubled(long* context) {
  *context *= 2;
  return 7;
}

char _license[] SEC("license") = "GPL";
