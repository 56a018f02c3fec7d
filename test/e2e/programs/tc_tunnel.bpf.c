// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: where a packet's tunnel leads to, as one program says it and finds it.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#define ROWS 48
struct seen {
  __s64 result;
  struct bpf_tunnel_key key;
  __u32 rest;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, ROWS);
  __type(key, __u32);
  __type(value, struct seen);
} seen SEC(".maps");
__u32 rows = 0;

static struct seen* next_row(void) {
  __u32 row = rows++;
  return bpf_map_lookup_elem(&seen, &row);
}
static __always_inline void put(__s64 result) {
  struct seen* row = next_row();
  if (row) row->result = result;
}
static __always_inline void get(struct __sk_buff* skb, __u32 size, __u64 flags) {
  struct seen* row = next_row();
  if (!row) return;
  __builtin_memset(&row->key, 0x77, sizeof row->key);
  row->result = bpf_skb_get_tunnel_key(skb, &row->key, size, flags);
}

SEC("tc")
int ipv4(struct __sk_buff* skb) {
  struct bpf_tunnel_key key = {.tunnel_id = 0x11223344,
                               .remote_ipv4 = 0x0a000001,
                               .tunnel_tos = 3,
                               .tunnel_ttl = 64,
                               .local_ipv4 = 0x0a000002};
  rows = 0;
  get(skb, sizeof key, 0);
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 0));
  get(skb, sizeof key, 0);
  get(skb, sizeof key, BPF_F_TUNINFO_FLAGS);
  get(skb, sizeof key, BPF_F_TUNINFO_IPV6);
  get(skb, sizeof key, 1 << 7);
  get(skb, 8, 0);
  get(skb, 22, 0);
  get(skb, 24, BPF_F_TUNINFO_FLAGS);
  get(skb, 28, 0);
  get(skb, 30, 0);
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT));
  get(skb, sizeof key, BPF_F_TUNINFO_FLAGS);
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, BPF_F_SEQ_NUMBER | 1 << 4));
  get(skb, sizeof key, BPF_F_TUNINFO_FLAGS);
  put(bpf_skb_set_tunnel_key(skb, &key, 8, 0));
  get(skb, sizeof key, 0);
  put(bpf_skb_set_tunnel_key(skb, &key, 30, 0));
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 1 << 5));
  key.tunnel_ext = 1;
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 0));
  key.tunnel_ext = 0;
  key.tunnel_label = 1;
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 0));
  return TC_ACT_OK;
}

SEC("tc")
int ipv6(struct __sk_buff* skb) {
  struct bpf_tunnel_key key = {.tunnel_id = 7,
                               .remote_ipv6 = {1, 2, 3, 4},
                               .tunnel_tos = 3,
                               .tunnel_ttl = 64,
                               .tunnel_label = 0xffabcdef,
                               .local_ipv6 = {5, 6, 7, 8}};
  rows = 24;
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, BPF_F_TUNINFO_IPV6));
  get(skb, sizeof key, 0);
  get(skb, sizeof key, BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS);
  get(skb, 28, BPF_F_TUNINFO_IPV6);
  get(skb, 8, BPF_F_TUNINFO_IPV6);
  return TC_ACT_OK;
}

SEC("tc")
int options(struct __sk_buff* skb) {
  struct bpf_tunnel_key key = {.remote_ipv4 = 1};
  __u32 option[4] = {1, 2, 3, 4}, found[6] = {9, 9, 9, 9, 9, 9};
  rows = 30;
  put(bpf_skb_get_tunnel_opt(skb, found, sizeof found));
  put(bpf_skb_set_tunnel_opt(skb, option, sizeof option));
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 0));
  put(bpf_skb_get_tunnel_opt(skb, found, sizeof found));
  put(found[0]);
  put(bpf_skb_set_tunnel_opt(skb, option, 3));
  put(bpf_skb_set_tunnel_opt(skb, option, sizeof option));
  found[5] = 9;
  put(bpf_skb_get_tunnel_opt(skb, found, sizeof found));
  put(found[3]);
  put(found[5]);
  put(bpf_skb_get_tunnel_opt(skb, found, 8));
  put(found[0]);
  get(skb, sizeof key, BPF_F_TUNINFO_FLAGS);
  put(bpf_skb_set_tunnel_key(skb, &key, sizeof key, 0));
  put(bpf_skb_get_tunnel_opt(skb, found, sizeof found));
  return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
