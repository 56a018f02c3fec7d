// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// raw tracepoint: a histogram of powers of two of its first argument.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} histogram SEC(".maps");

static __always_inline __u32 log2_of(__u64 value) {
  __u32 result = 0;
  for (int shift = 32; shift; shift >>= 1)
    if (value >> shift) {
      value >>= shift;
      result += shift;
    }
  return result;
}

SEC("raw_tp/sched_switch")
int count(struct bpf_raw_tracepoint_args* ctx) {
  __u32 slot = log2_of(ctx->args[0] + ctx->args[1]);
  __u64 *seen = bpf_map_lookup_elem(&histogram, &slot), one = 1;
  if (seen)
    __sync_fetch_and_add(seen, 1);
  else
    bpf_map_update_elem(&histogram, &slot, &one, BPF_ANY);
  return slot;
}
char _license[] SEC("license") = "Dual BSD/GPL";
