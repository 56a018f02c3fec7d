#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""count_flows.py FILE: the flows of a capture, counted without eBPF; prints what flow_counter prints."""
import collections
import ipaddress
import struct
import sys

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}


def frames(capture):
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[capture[:4]]
    at = 24
    while at < len(capture):
        _, _, length, _ = struct.unpack_from(order + "IIII", capture, at)
        yield capture[at + 16:at + 16 + length]
        at += 16 + length


def flow_of(frame):
    protocol, at, vlan = struct.unpack_from("!H", frame, 12)[0], 14, 0
    while protocol in (0x8100, 0x88A8):
        tag, protocol = struct.unpack_from("!HH", frame, at)
        vlan, at = tag & 0xFFF, at + 4
    if protocol == 0x0800:
        source, destination = (ipaddress.IPv4Address(frame[at + i:at + i + 4]) for i in (12, 16))
        kind, is_first = frame[at + 9], struct.unpack_from("!H", frame, at + 6)[0] & 0x1FFF == 0
        at += (frame[at] & 15) * 4
    elif protocol == 0x86DD:
        source, destination = (ipaddress.IPv6Address(frame[at + i:at + i + 16]) for i in (8, 24))
        kind, is_first, at = frame[at + 6], True, at + 40
        while kind in (0, 43, 60):
            kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    else:
        return None
    ports = (0, 0)
    if is_first and kind in (6, 17):
        ports = struct.unpack_from("!HH", frame, at)
    elif is_first and kind in (1, 58):
        ports = (0, struct.unpack_from("!H", frame, at)[0])
    tag = f"vlan {vlan} " if vlan else ""
    return f"{tag}{PROTOCOLS.get(kind, kind)} {source} {ports[0]} -> {destination} {ports[1]}"


def main():
    with open(sys.argv[1], "rb") as file:
        all_frames = list(frames(file.read()))
    packets, sizes = collections.Counter(), collections.Counter()
    for frame in all_frames:
        flow = flow_of(frame)
        packets[flow] += 1
        sizes[flow] += len(frame)
    lengths = [len(frame) for frame in all_frames]
    print(f"{len(lengths)} packets of {min(lengths)} to {max(lengths)} bytes, {packets.pop(None, 0)} of them no IP")
    sizes.pop(None, None)
    print(f"{len(packets)} flows, {sum(packets.values())} packets, {sum(sizes.values())} bytes")
    for flow in sorted(packets, key=lambda flow: (-sizes[flow], flow)):
        print(f"{packets[flow]:8} packets {sizes[flow]:10} bytes  {flow}")


main()
