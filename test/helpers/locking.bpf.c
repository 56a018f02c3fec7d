// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct pair {
  struct bpf_spin_lock lock;
  int padding;
  long left, right;
};

#define LOCKED_MAP(name, map_type) \
  struct {                         \
    __uint(type, map_type);        \
    __uint(max_entries, 1);        \
    __type(key, int);              \
    __type(value, struct pair);    \
  } name SEC(".maps")

LOCKED_MAP(in_array, BPF_MAP_TYPE_ARRAY);
LOCKED_MAP(in_hash, BPF_MAP_TYPE_HASH);

// How often the two were found to differ.
long torn;

static void add(void* map) {
  int zero = 0;
  struct pair* pair = bpf_map_lookup_elem(map, &zero);
  long difference;
  if (!pair) return;
  bpf_spin_lock(&pair->lock);
  difference = pair->left - pair->right;
  pair->left += 1;
  pair->right = pair->left;
  bpf_spin_unlock(&pair->lock);
  if (difference) __sync_fetch_and_add(&torn, 1);
}

SEC("xdp")
int locking(struct xdp_md* context) {
  add(&in_array);
  add(&in_hash);
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
