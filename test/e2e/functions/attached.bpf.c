// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is attached to functions of target.bpf.c, which the client names.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sk_buff {
  unsigned int len;
} __attribute__((preserve_access_index));

struct xdp_buff {
  void* data;
} __attribute__((preserve_access_index));

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(int));
  __uint(value_size, sizeof(int));
} events SEC(".maps");

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

// 20 bytes of the packet go behind the number, and then as many as no packet has.
#define WITH_PACKET(bytes) (BPF_F_CURRENT_CPU | (__u64)(bytes) << 32)

SEC("fentry/entry")
int BPF_PROG(skb_goes_out, struct sk_buff* skb) {
  int number = 7;
  seen.result = (int)bpf_skb_output(skb, &events, WITH_PACKET(20), &number, sizeof number);
  seen.main_result = (int)bpf_skb_output(skb, &events, WITH_PACKET(65), &number, sizeof number);
  return 0;
}

SEC("fentry/watched")
int BPF_PROG(xdp_goes_out, struct xdp_buff* xdp) {
  int number = 7;
  seen.len = (int)bpf_xdp_get_buff_len((struct xdp_md*)xdp);
  seen.result = (int)bpf_xdp_output(xdp, &events, WITH_PACKET(20), &number, sizeof number);
  seen.main_result = (int)bpf_xdp_output(xdp, &events, WITH_PACKET(65), &number, sizeof number);
  return 0;
}

SEC("fentry/watched")
int BPF_PROG(what_leads_to_no_packet, struct xdp_buff* xdp) {
  int number = 7;
  return (int)bpf_skb_output(xdp, &events, 0, &number, sizeof number);
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
