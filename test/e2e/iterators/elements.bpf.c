// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One line for each element of a map.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define EXACT __attribute__((preserve_access_index))
struct seq_file;
struct bpf_iter_meta {
  union {
    struct seq_file* seq;
  };
} EXACT;
struct bpf_iter__bpf_map_elem {
  union {
    struct bpf_iter_meta* meta;
  };
  union {
    void* key;
  };
  union {
    void* value;
  };
} EXACT;

SEC("iter/bpf_map_elem")
int elements(struct bpf_iter__bpf_map_elem* ctx) {
  static const char text[] = "%u is %llu\n";
  __u32* key = ctx->key;
  __u64* value = ctx->value;
  if (!key || !value) return 0;
  __u64 arguments[] = {*key, *value};
  bpf_seq_printf(ctx->meta->seq, text, sizeof text, arguments, sizeof arguments);
  return 0;
}

char _license[] SEC("license") = "GPL";
