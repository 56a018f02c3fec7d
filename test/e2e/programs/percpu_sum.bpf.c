// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: what each CPU has counted, added up from one of them.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");
__u64 total, cpus, local;

SEC("syscall")
int add_up(void* ctx) {
  __u32 key = 7;
  __u64 start = 100;
  bpf_map_update_elem(&counts, &key, &start, BPF_NOEXIST);
  __u64* mine = bpf_map_lookup_elem(&counts, &key);
  if (!mine) return 1;
  *mine += 5;
  local = *mine;
  total = cpus = 0;
  for (__u32 cpu = 0; cpu < 64; cpu++) {
    __u64* value = bpf_map_lookup_percpu_elem(&counts, &key, cpu);
    if (!value) continue;
    total += *value;
    cpus++;
  }
  return bpf_map_lookup_percpu_elem(&counts, &key, 1u << 30) != 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
