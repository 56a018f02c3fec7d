// SPDX-License-Identifier: Apache-2.0
// What programs find at the probes and the tracepoint of host.cc: each adds to a place of its own.
#define __TARGET_ARCH_x86
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

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

struct work_record {
  __u64 common;
  __u32 kind, bytes;
};

SEC("kprobe/host_work")
int BPF_KPROBE(begin, int kind, int bytes) {
  add(0, kind * 1000 + bytes);
  return 0;
}

SEC("kretprobe/host_work")
int BPF_KRETPROBE(end, int result) {
  add(1, result);
  add(2, bpf_get_attach_cookie(ctx));
  return 0;
}

SEC("tracepoint/host/work")
int work(struct work_record* record) {
  add(3, record->kind * 1000 + record->bytes);
  return 0;
}

SEC("tp/host/work")
int count(struct work_record* record) {
  add(4, 1);
  return 0;
}

// Of all functions of the host.
SEC("kprobe.multi/host_*")
int many(struct pt_regs* registers) {
  add(5, 1);
  return 0;
}

SEC("kretprobe.multi/host_rest")
int BPF_KRETPROBE(rest_ends, int result) {
  add(6, -result);
  return 0;
}

SEC("kprobe.multi")
int cookies(struct pt_regs* registers) {
  add(7, bpf_get_attach_cookie(registers));
  return 0;
}

// Both ends of every second call: what the first is given, the second finds.
extern bool bpf_session_is_return(void) __ksym;
extern __u64* bpf_session_cookie(void) __ksym;

SEC("kprobe.multi")
int BPF_KPROBE(session, __u64 kind) {
  __u64* const kept = bpf_session_cookie();
  if (bpf_session_is_return()) {
    add(9, *kept);
    return 0;
  }
  add(8, 1);
  *kept = kind;
  return kind & 1;
}

char LICENSE[] SEC("license") = "GPL";
