/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the XDP program and its loader both know. Addresses and ports are in network byte order. */
#ifndef FLOW_COUNTER_H
#define FLOW_COUNTER_H

struct flow {
  __u8 source[16], destination[16];    /* IPv4: the first four bytes */
  __u16 source_port, destination_port; /* 0 where there is none; ICMP: type and code in the second */
  __u16 vlan;                          /* 0: untagged */
  __u8 protocol;
  __u8 version; /* 4 or 6 */
};

struct flow_count {
  __u64 packets, bytes;
};

struct configuration {
  __u32 drop_port; /* packets to it are dropped once counted; 0: none */
  __u32 skip_icmp; /* do not count ICMP and ICMPv6 */
};

#endif
