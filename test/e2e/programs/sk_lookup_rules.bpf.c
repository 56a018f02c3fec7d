// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// sk_lookup: lets some ports pass, and keeps what it was asked for.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct asked {
  __u32 family, protocol, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, device;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct asked);
} last SEC(".maps");

SEC("sk_lookup")
int choose(struct bpf_sk_lookup* ctx) {
  __u32 zero = 0;
  struct asked* asked = bpf_map_lookup_elem(&last, &zero);
  if (!asked) return SK_DROP;
  asked->family = ctx->family;
  asked->protocol = ctx->protocol;
  asked->remote_ip4 = ctx->remote_ip4;
  asked->local_ip4 = ctx->local_ip4;
  for (int i = 0; i < 4; i++)
    asked->remote_ip6[i] = ctx->remote_ip6[i], asked->local_ip6[i] = ctx->local_ip6[i];
  asked->remote_port = ctx->remote_port;
  asked->local_port = ctx->local_port;
  asked->device = ctx->ingress_ifindex;
  return ctx->local_port == 80 || ctx->local_port == 443 ? SK_PASS : SK_DROP;
}
char _license[] SEC("license") = "Dual BSD/GPL";
