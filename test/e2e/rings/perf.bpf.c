// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Writes to perf events, and reads what they count.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct record {
  __u64 number, check;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(int));
  __uint(value_size, sizeof(int));
} events SEC(".maps");

__u64 sent = 0, failed = 0;
__s64 result = 0;
struct bpf_perf_event_value value = {0};

SEC("xdp")
int produce(struct xdp_md* context) {
  struct record record = {sent, sent * 2654435761u + 1};
  result = bpf_perf_event_output(context, &events, BPF_F_CURRENT_CPU, &record, sizeof record);
  if (result) {
    failed++;
    return XDP_DROP;
  }
  sent++;
  return XDP_PASS;
}

SEC("xdp")
int with_packet(struct xdp_md* context) {
  __u32 number = 7;
  result = bpf_perf_event_output(context, &events, BPF_F_CURRENT_CPU | 20ull << 32, &number, sizeof number);
  return XDP_PASS;
}

SEC("xdp.frags")
int with_fragments(struct xdp_md* context) {
  __u32 number = 7;
  result =
      bpf_perf_event_output(context, &events, BPF_F_CURRENT_CPU | 10000ull << 32, &number, sizeof number);
  result +=
      bpf_perf_event_output(context, &events, BPF_F_CURRENT_CPU | 3600ull << 32, &number, sizeof number);
  return XDP_PASS;
}

SEC("xdp")
int mistakes(struct xdp_md* context) {
  __u32 number = 7;
  result = bpf_perf_event_output(context, &events, 1ull << 60, &number, 4) * 1000000;
  result += bpf_perf_event_output(context, &events, BPF_F_CURRENT_CPU | 1000ull << 32, &number, 4) * 1000;
  result += bpf_perf_event_output(context, &events, 1000, &number, 4);
  return XDP_PASS;
}

SEC("raw_tp")
int read_counter(void* context) {
  result = bpf_perf_event_read_value(&events, 0, &value, sizeof value);
  return 0;
}

SEC("raw_tp")
int read_mistakes(void* context) {
  __u64 number = 7;
  result = bpf_perf_event_read_value(&events, 1ull << 32, &value, sizeof value) * 100000000;
  result += bpf_perf_event_read_value(&events, 1000, &value, sizeof value) * 1000000;
  result += bpf_perf_event_read_value(&events, 0, &value, sizeof value - 8) * 10000;
  result += bpf_perf_event_read(&events, 1000) * 100;
  result += bpf_perf_event_output(context, &events, 0, &number, sizeof number);
  return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
