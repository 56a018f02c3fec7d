// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program whose functions others are attached to.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, int);
  __type(value, int);
} others SEC(".maps");

static __attribute__((noinline)) int doubled(struct __sk_buff* skb, int number) {
  return number * 2 + (skb->mark & 1);
}
__attribute__((noinline)) int weight(int number, struct __sk_buff* skb) {
  return number * 10 + (int)(skb->len & 1);
}
__attribute__((noinline)) int marked(struct __sk_buff* skb) {
  skb->mark = 5;
  return 1;
}
static int rounds(int index, int* sum) {
  *sum += index;
  return 0;
}

SEC("tc")
int entry(struct __sk_buff* skb) {
  int sum = 0;
  bpf_loop(3, rounds, &sum, 0);
  return weight(3, skb) + doubled(skb, (int)skb->len) + marked(skb) * 1000 + sum * 10000;
}

SEC("xdp")
int watched(struct xdp_md* xdp) { return XDP_DROP; }

SEC("tc")
int calls_others(struct __sk_buff* skb) {
  bpf_tail_call(skb, &others, 0);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
