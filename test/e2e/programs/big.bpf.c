// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP: some thousand instructions: rounds of mixing, unrolled and in loops, over the bytes of a packet.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define ROTATE(x, by) ((x) << (by) | (x) >> (64 - (by)))
#define ROUND            \
  a += b;                \
  b = ROTATE(b, 13) ^ a; \
  a = ROTATE(a, 32);     \
  c += d;                \
  d = ROTATE(d, 16) ^ c; \
  a += d;                \
  d = ROTATE(d, 21) ^ a; \
  c += b;                \
  b = ROTATE(b, 17) ^ c; \
  c = ROTATE(c, 32);
#define FOUR_ROUNDS ROUND ROUND ROUND ROUND
#define SIXTEEN_ROUNDS FOUR_ROUNDS FOUR_ROUNDS FOUR_ROUNDS FOUR_ROUNDS

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u64);
  __type(value, __u64);
} digests SEC(".maps");

SEC("xdp")
int mix(struct xdp_md* ctx) {
  __u8 *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  __u64 a = 0x736f6d6570736575ull, b = 0x646f72616e646f6dull, c = 0x6c7967656e657261ull,
        d = 0x7465646279746573ull;
  for (int i = 0; i < 64; i++) {
    if (data + i * 4 + 4 > end) break;
    __u32 word = *(__u32*)(data + i * 4);
    d ^= word;
    if (word & 1) {
      SIXTEEN_ROUNDS
    } else {
      FOUR_ROUNDS
      FOUR_ROUNDS
    }
    a ^= word;
  }
  SIXTEEN_ROUNDS SIXTEEN_ROUNDS SIXTEEN_ROUNDS SIXTEEN_ROUNDS SIXTEEN_ROUNDS SIXTEEN_ROUNDS SIXTEEN_ROUNDS
      SIXTEEN_ROUNDS __u64 digest = a ^ b ^ c ^ d,
                           one = 1;
  for (__u64 i = 0; i < 20; i++) {
    __u64 key = digest + i * i, *seen = bpf_map_lookup_elem(&digests, &key);
    if (seen)
      *seen += i;
    else
      bpf_map_update_elem(&digests, &key, &one, BPF_ANY);
  }
  return digest & 1 ? XDP_PASS : XDP_DROP;
}
char _license[] SEC("license") = "Dual BSD/GPL";
