// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Drains records that user space produces, and checks them.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct record {
  __u64 number, check;
};

struct {
  __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
  __uint(max_entries, 64 * 1024);
} commands SEC(".maps");

__u64 seen = 0, wrong = 0, bytes = 0;
__s64 result = 0;

static long on_record(struct bpf_dynptr* pointer, void* context) {
  struct record record;
  if (bpf_dynptr_read(&record, sizeof record, pointer, 0, 0)) {
    wrong++;
    return 0;
  }
  const __u64* slice = bpf_dynptr_data(pointer, 8, 8);
  if (!slice || *slice != record.check) wrong++;
  if (record.number != seen || record.check != seen * 2654435761u + 1) wrong++;
  seen++;
  bytes += sizeof record;
  return 0;
}

SEC("xdp")
int drain(struct xdp_md* context) {
  result = bpf_user_ringbuf_drain(&commands, on_record, NULL, 0);
  return XDP_PASS;
}
