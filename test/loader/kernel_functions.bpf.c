// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Calls functions of the kernel, by what libbpf finds in its types.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct bpf_iter_num {
  __u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num* it, int start, int end) __ksym;
extern int* bpf_iter_num_next(struct bpf_iter_num* it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num* it) __ksym;

SEC("xdp")
int sum_up(struct xdp_md* ctx) {
  struct bpf_iter_num it;
  int sum = 0, *number;
  bpf_iter_num_new(&it, 3, 6);
  while ((number = bpf_iter_num_next(&it))) sum += *number;
  bpf_iter_num_destroy(&it);
  return sum;
}

char _license[] SEC("license") = "GPL";
