// SPDX-License-Identifier: Apache-2.0
// What programs find at the probe and the tracepoint of host.cc: each adds to a place of its own.
#define __TARGET_ARCH_x86
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 5);
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

char LICENSE[] SEC("license") = "GPL";
