// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Producers of records, one for each run.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct record {
  __u64 number, check;
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} first SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} second SEC(".maps");

__u64 sent = 0, flags = 0;

SEC("xdp")
int produce(struct xdp_md* context) {
  struct record* record = bpf_ringbuf_reserve(&first, sizeof *record, 0);
  if (!record) return XDP_DROP;
  record->number = sent;
  record->check = sent * 2654435761u + 1;
  sent++;
  bpf_ringbuf_submit(record, flags);
  return XDP_PASS;
}

SEC("xdp")
int output(struct xdp_md* context) {
  struct record record = {sent, sent * 2654435761u + 1};
  if (bpf_ringbuf_output(&second, &record, sizeof record, flags)) return XDP_DROP;
  sent++;
  return XDP_PASS;
}

SEC("xdp")
int discard(struct xdp_md* context) {
  struct record* record = bpf_ringbuf_reserve(&first, sizeof *record, 0);
  if (!record) return XDP_DROP;
  bpf_ringbuf_discard(record, flags);
  return XDP_PASS;
}

static int nothing(__u32 index, void* context) { return 0; }

// Takes its time between reserving and submitting.
SEC("xdp")
int dawdle(struct xdp_md* context) {
  struct record* record = bpf_ringbuf_reserve(&first, sizeof *record, 0);
  if (!record) return XDP_DROP;
  record->number = record->check = 0;
  bpf_loop(8 * 1024 * 1024, nothing, NULL, 0);
  bpf_ringbuf_submit(record, 0);
  return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
