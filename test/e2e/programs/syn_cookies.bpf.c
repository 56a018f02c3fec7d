// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SYN cookies of bare headers: which segment size they stand for, and which are accepted. The cookies
// themselves are secret.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct tcp {
  __be16 source, dest;
  __be32 seq, ack_seq;
  __u8 offset, flags;
  __be16 window, check, urgent;
  __u8 options[40];
} tcp;
__u8 ip4[20], ip6[40];
#define RESULTS 64
long results[RESULTS];
int at;

static void note(long result) {
  if (at >= 0 && at < RESULTS) results[at++] = result;
}

static void make(unsigned size, unsigned words) {
  tcp.offset = (__u8)(words << 4);
  if (size < 1 || size > sizeof tcp) return;
  const long four = bpf_tcp_raw_gen_syncookie_ipv4((void*)ip4, (void*)&tcp, size);
  const long six = bpf_tcp_raw_gen_syncookie_ipv6((void*)ip6, (void*)&tcp, size);
  note(four < 0 ? four : four >> 32);
  note(six < 0 ? six : six >> 32);
}

static void answer(int change) {
  tcp.offset = 6 << 4;
  tcp.seq = bpf_htonl(0xfffffffe);
  const long four = bpf_tcp_raw_gen_syncookie_ipv4((void*)ip4, (void*)&tcp, 24);
  const long six = bpf_tcp_raw_gen_syncookie_ipv6((void*)ip6, (void*)&tcp, 24);
  tcp.seq = bpf_htonl(0xffffffff + (change == 1));
  if (change == 2) tcp.source ^= 1;
  if (change == 3) ip4[15] ^= 1, ip6[8] ^= 1;
  if (change == 4) ip4[19] ^= 1, ip6[39] ^= 1;
  if (change == 5) ip4[0] ^= 1, ip6[0] ^= 1;
  tcp.ack_seq = bpf_htonl((__u32)four + 1 + (change == 6 ? 1 << 24 : 0) + (change == 7 ? 1 << 20 : 0));
  note(bpf_tcp_raw_check_syncookie_ipv4((void*)ip4, (void*)&tcp));
  tcp.ack_seq = bpf_htonl((__u32)six + 1 + (change == 6 ? 1 << 24 : 0) + (change == 7 ? 1 << 20 : 0));
  note(bpf_tcp_raw_check_syncookie_ipv6((void*)ip6, (void*)&tcp));
}

SEC("xdp")
int cookies(struct xdp_md* context) {
  static const __u16 sizes[] = {0, 1, 536, 1219, 1220, 1299, 1300, 1439, 1440, 1460, 8939, 8940, 65535};
  at = 0;
  make(20, 5);
  make(19, 5);
  make(24, 5);
  make(20, 6);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    tcp.options[0] = 2;
    tcp.options[1] = 4;
    tcp.options[2] = (__u8)(sizes[i] >> 8);
    tcp.options[3] = (__u8)sizes[i];
    make(24, 6);
  }
  __builtin_memcpy(tcp.options, (__u8[]){1, 3, 3, 7, 2, 4, 0x22, 0xec, 0, 2, 4, 1}, 12);
  make(32, 8);
  __builtin_memcpy(tcp.options, (__u8[]){0, 2, 4, 5, 0xb4, 0, 0, 0}, 8);
  make(28, 7);
  __builtin_memcpy(tcp.options, (__u8[]){1, 2, 9, 5, 0xb4, 0, 0, 0}, 8);
  make(28, 7);
  for (int change = 0; change < 8; change++) answer(change);
  tcp.ack_seq = 0;
  return at;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
