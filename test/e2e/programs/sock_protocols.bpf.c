// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Socket filter: the classic example: bytes of each IP protocol, read the classic way.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

unsigned long long load_byte(void* skb, unsigned long long off) __asm__("llvm.bpf.load.byte");
unsigned long long load_half(void* skb, unsigned long long off) __asm__("llvm.bpf.load.half");
unsigned long long load_word(void* skb, unsigned long long off) __asm__("llvm.bpf.load.word");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, long);
} bytes SEC(".maps");

SEC("socket")
int by_protocol(struct __sk_buff* skb) {
  __u32 key = load_byte(skb, ETH_HLEN + offsetof(struct iphdr, protocol));
  long* value = bpf_map_lookup_elem(&bytes, &key);
  if (value) __sync_fetch_and_add(value, skb->len);
  return load_half(skb, 12) == ETH_P_IP ? load_word(skb, ETH_HLEN + 12) & 0xff : 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
