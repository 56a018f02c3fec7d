// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs of perf events.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct sample { /* struct bpf_perf_event_data on x86-64 */
  unsigned long regs[21];
  __u64 period, address;
};

SEC("perf_event") int reads_its_sample(struct sample* sample) {
  return (int)(sample->regs[16] + sample->period + sample->address);
}

SEC("perf_event") int reads_the_event(struct sample* sample) {
  struct bpf_perf_event_value value;
  if (bpf_perf_prog_read_value((void*)sample, &value, sizeof value) != 0) return -1;
  return (int)(value.counter + value.enabled + value.running);
}

SEC("perf_event") int reads_half_of_it(struct sample* sample) {
  struct bpf_perf_event_value value = {7, 7, 7};
  const long error = bpf_perf_prog_read_value((void*)sample, &value, 16);
  return (int)(error - value.counter - value.enabled);
}

char _license[] SEC("license") = "Dual BSD/GPL";
