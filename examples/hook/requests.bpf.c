// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts the requests of a server, and their bytes, by kind: it is attached to the tracepoint "request" that
// the server has.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct total {
  __u64 requests, bytes;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct total);
} totals SEC(".maps");

SEC("raw_tp/request")
int count(struct bpf_raw_tracepoint_args* ctx) {
  __u32 kind = ctx->args[0];
  struct total* total = bpf_map_lookup_elem(&totals, &kind);
  if (!total) return 0;
  __sync_fetch_and_add(&total->requests, 1);
  __sync_fetch_and_add(&total->bytes, ctx->args[1]);
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
