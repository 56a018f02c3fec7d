// SPDX-License-Identifier: Apache-2.0
// What programs find at the uprobes of host.cc: each adds to a place of its own.
#define __TARGET_ARCH_x86
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 10);
  __type(key, __u32);
  __type(value, __u64);
} sums SEC(".maps");

static void add(__u32 place, __u64 number) {
  __u64* sum = bpf_map_lookup_elem(&sums, &place);
  if (sum) __sync_fetch_and_add(sum, number);
}

SEC("uprobe")
int BPF_KPROBE(serve, int kind, int bytes) {
  add(0, kind * 1000 + bytes);
  add(1, bpf_get_func_ip(ctx) == PT_REGS_IP(ctx));
  return 0;
}

SEC("uretprobe")
int BPF_KRETPROBE(serve_ends, int result) {
  add(2, result);
  add(3, bpf_get_attach_cookie(ctx));
  return 0;
}

SEC("uprobe")
int BPF_KPROBE(of_another, int kind) {
  add(4, 1);
  return 0;
}

SEC("uprobe")
int BPF_KPROBE(many, int kind) {
  add(5, bpf_get_attach_cookie(ctx));
  return 0;
}

// Both ends of every second call.
extern bool bpf_session_is_return(void) __ksym;

SEC("uprobe")
int BPF_KPROBE(session, __u64 kind) {
  const bool ends = bpf_session_is_return();
  add(ends ? 7 : 6, 1);
  return ends ? 0 : kind & 1;
}

SEC("usdt")
int BPF_USDT(turn, int kind, long number, const char* text, unsigned int most) {
  char first = 0;
  bpf_probe_read_user(&first, sizeof first, text);
  add(8, number + (first == 't'));
  add(9, bpf_usdt_arg_cnt(ctx) == 4 && most + 1 == (kind == 0 && number > 0) && bpf_usdt_cookie(ctx) == 7);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
