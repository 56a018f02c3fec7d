// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// As programs were written before BTF: maps are definitions in a section.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct map_def {
  unsigned int type, key_size, value_size, max_entries, map_flags, inner_map_idx, numa_node;
};

struct map_def SEC("maps") packets = {BPF_MAP_TYPE_ARRAY, 4, 8, 4};
struct map_def SEC("maps") sizes = {BPF_MAP_TYPE_HASH, 4, 8, 64, BPF_F_NO_PREALLOC};
struct map_def SEC("maps") outer = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2, 0, 0};
struct map_def SEC("maps") next = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2};

static __attribute__((noinline)) long count(unsigned int index) {
  long* value = bpf_map_lookup_elem(&packets, &index);
  if (!value) return -1;
  return __sync_fetch_and_add(value, 1) + 1;
}

static __attribute__((noinline)) long remember(unsigned int size) {
  long seen = count(1);
  bpf_map_update_elem(&sizes, &size, &seen, BPF_ANY);
  return seen;
}

SEC("xdp")
int count_packets(struct xdp_md* context) {
  long seen = count(0);
  remember(context->data_end - context->data);
  bpf_tail_call(context, &next, 0);
  return seen < 3 ? XDP_PASS : XDP_DROP;
}

SEC("xdp/second")
int always_aborts(struct xdp_md* context) { return XDP_ABORTED; }

SEC("socket")
int keep_some(struct __sk_buff* skb) {
  unsigned int key = 1;
  void* inner = bpf_map_lookup_elem(&outer, &key);
  long* value;
  if (!inner) return 0;
  key = 0;
  value = bpf_map_lookup_elem(inner, &key);
  return value ? *value : 1;
}

SEC("socket/sum")
int sum_up(struct __sk_buff* skb) {
  long sum = 0;
  for (unsigned int index = 0; index < 4; ++index) sum += count(index);
  return sum;
}

char _license[] SEC("license") = "GPL";
unsigned int _version SEC("version") = 0x040c00;
