// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// tc: CRC-32 of the whole packet, byte by byte, in a loop that the verifier must see end.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

__u32 crcs[16];
__u32 count;

SEC("tc")
int crc32(struct __sk_buff* skb) {
  __u8 *data = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  __u32 crc = ~0u;
  for (int i = 0; i < 128; i++) {
    if (data + i + 1 > end) break;
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ 0xedb88320 * (crc & 1);
  }
  crcs[count++ & 15] = ~crc;
  return TC_ACT_OK;
}
char _license[] SEC("license") = "Dual BSD/GPL";
