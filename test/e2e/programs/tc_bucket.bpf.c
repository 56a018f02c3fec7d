// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: a token bucket for each source address, guarded by a bpf_spin_lock; a clock that counts packets.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct bucket {
  struct bpf_spin_lock lock;
  __u32 tokens;
  __u64 last;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32);
  __type(key, __be32);
  __type(value, struct bucket);
} buckets SEC(".maps");
__u64 now;

SEC("tc")
int shape(struct __sk_buff* skb) {
  void *data = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  struct iphdr* ip = data + ETH_HLEN;
  if ((void*)(ip + 1) > end || skb->protocol != bpf_htons(ETH_P_IP)) return TC_ACT_OK;
  __be32 from = ip->saddr;
  __u64 time = __sync_fetch_and_add(&now, 1);
  struct bucket* bucket = bpf_map_lookup_elem(&buckets, &from);
  if (!bucket) {
    struct bucket fresh = {.tokens = 4, .last = time};
    bpf_map_update_elem(&buckets, &from, &fresh, BPF_NOEXIST);
    return TC_ACT_OK;
  }
  int verdict = TC_ACT_SHOT;
  bpf_spin_lock(&bucket->lock);
  __u64 earned = (time - bucket->last) / 8;
  if (earned) {
    bucket->tokens += earned;
    if (bucket->tokens > 4) bucket->tokens = 4;
    bucket->last = time;
  }
  if (bucket->tokens) {
    bucket->tokens--;
    verdict = TC_ACT_OK;
  }
  bpf_spin_unlock(&bucket->lock);
  return verdict;
}
char _license[] SEC("license") = "Dual BSD/GPL";
