// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: reads what it should do from constants, from variables and from a map of settings; statistics by name.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct settings {
  __u32 sample_every, verdict;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct settings);
} settings SEC(".maps");
const volatile int verbose = 1;
const volatile char name[16] = "sampler";
int verdicts[5] = {1, 2, 3, 4, 5};
__u64 seen;

SEC("xdp")
int sample(struct xdp_md* ctx) {
  __u32 zero = 0;
  struct settings* now = bpf_map_lookup_elem(&settings, &zero);
  if (!now) return XDP_ABORTED;
  __u64 number = seen++;
  if (verbose && now->sample_every && number % now->sample_every == 0) return XDP_DROP;
  if (name[0] == 's' && now->verdict < 5) return verdicts[now->verdict];
  return XDP_TX;
}
char _license[] SEC("license") = "Dual BSD/GPL";
