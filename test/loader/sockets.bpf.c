// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What sockets send and receive: messages go with their length before them, in two bytes.
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { HEADER = 2, LEAST = 4, MOST = 1000, TCP = 6, UDP = 17 };

SEC("sk_skb/stream_parser")
int message_length(struct __sk_buff* data) {
  __be16 length;
  if (data->len < HEADER) return 0;
  if (bpf_skb_load_bytes(data, 0, &length, sizeof length) < 0) return -1;
  return HEADER + bpf_ntohs(length);
}

// Takes the length off, and puts how much is left at the end instead.
SEC("sk_skb/stream_verdict")
int take_length_off(struct __sk_buff* data) {
  const struct bpf_sock* socket = data->sk;
  if (!socket || socket->state != BPF_TCP_ESTABLISHED || data->remote_port != bpf_htonl(8080)) return SK_DROP;
  if (bpf_skb_adjust_room(data, -HEADER, 0, 0) || bpf_skb_change_tail(data, data->len + 1, 0)) return SK_DROP;
  __u8 left = data->len - 1;
  if (bpf_skb_store_bytes(data, data->len - 1, &left, 1, 0)) return SK_DROP;
  data->priority = data->local_port;
  return SK_PASS;
}

SEC("sk_msg")
int put_length_on(struct sk_msg_md* message) {
  if (message->size < LEAST) {
    bpf_msg_cork_bytes(message, LEAST);
    return SK_PASS;
  }
  if (message->size > MOST) bpf_msg_apply_bytes(message, MOST);
  if (bpf_msg_pull_data(message, 0, LEAST, 0)) return SK_DROP;
  __u8 *data = message->data, *end = message->data_end;
  if (data + LEAST > end || data[LEAST - 1] == 'x') return SK_DROP;
  data[0] = 'y';
  __u16 size = message->size;
  if (bpf_msg_push_data(message, 0, HEADER, 0)) return SK_DROP;
  data = message->data;
  end = message->data_end;
  if (data + HEADER > end) return SK_DROP;
  *(__be16*)data = bpf_htons(size);
  return message->sk->protocol == TCP && message->local_port == 80 ? SK_PASS : SK_DROP;
}

// Messages to one port, of which nobody asks which is hashed.
SEC("sk_reuseport")
int choose(struct sk_reuseport_md* packet) {
  __u8 protocol, first;
  const __be16 *data = packet->data, *end = packet->data_end;
  if (packet->migrating_sk) return packet->migrating_sk->src_port == 53 ? SK_PASS : SK_DROP;
  if (packet->ip_protocol != UDP || packet->eth_protocol != bpf_htons(0x0800)) return SK_DROP;
  if (data + 4 > end || data[1] != bpf_htons(53)) return SK_DROP;
  if (bpf_skb_load_bytes_relative(packet, 9, &protocol, 1, BPF_HDR_START_NET) || protocol != UDP)
    return SK_DROP;
  if (bpf_skb_load_bytes(packet, 8, &first, 1) || first == 'x') return SK_DROP;
  return packet->hash + packet->len + packet->bind_inany == 7 + 9 + 1 ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
