// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is attached to functions of target.bpf.c, which the client names.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sk_buff {
  unsigned int len;
} __attribute__((preserve_access_index));

struct {
  int calls, number, len, result, main_result, cookie;
  unsigned long long ip, argument, returned;
} seen;

SEC("freplace/weight")
int new_weight(int number, struct __sk_buff* skb) { return number * 100 + (int)(skb->len & 1); }

SEC("freplace/entry")
int new_entry(struct __sk_buff* skb) { return (int)skb->len + 7000; }

SEC("freplace/weight")
int other_arguments(int number) { return number; }

SEC("freplace/weight")
int moves_packet(int number, struct __sk_buff* skb) { return (int)bpf_skb_pull_data(skb, 0) + number; }

SEC("freplace/doubled")
int for_static(struct __sk_buff* skb, int number) { return number; }

SEC("fentry/weight")
int BPF_PROG(weight_begins, int number, struct sk_buff* skb) {
  seen.calls++;
  seen.number = number;
  seen.len = (int)skb->len;
  seen.cookie = (int)bpf_get_attach_cookie(ctx);
  seen.ip = bpf_get_func_ip(ctx);
  bpf_get_func_arg(ctx, 0, &seen.argument);
  return 0;
}

SEC("fexit/weight")
int BPF_PROG(weight_ends, int number, struct sk_buff* skb, int result) {
  seen.result = result;
  bpf_get_func_ret(ctx, &seen.returned);
  return 0;
}

SEC("fexit/doubled")
int BPF_PROG(doubled_ends, struct sk_buff* skb, int number, int result) {
  seen.result = number * 1000 + result;
  return 0;
}

SEC("fexit/entry")
int BPF_PROG(entry_ends, struct sk_buff* skb, int result) {
  seen.main_result = result;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
