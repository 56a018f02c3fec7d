#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# record.sh FILE (as root): records the traffic of ordinary programs between two network namespaces, which it makes and removes.
# traffic.pcap was made so. Needs ip, ping, tcpdump, python3.
set -euo pipefail
file=$1 here=flow_left there=flow_right
trap 'ip netns pids $there 2>/dev/null | xargs -r kill; ip netns del $here; ip netns del $there; rm -rf "$folder"' EXIT
folder=$(mktemp -d)

ip netns add $here
ip netns add $there
ip -n $here link add left type veth peer name right netns $there
# Packets as they would be on a wire: no frames that are longer than it takes.
for side in "$here left 1" "$there right 2"; do
  read -r space link last <<<"$side"
  ip netns exec $space ethtool -K $link tso off gso off gro off tx off >/dev/null 2>&1 || true
  ip -n $space link set lo up
  ip -n $space addr add 10.20.0.$last/24 dev $link
  ip -n $space -6 addr add fd20::$last/64 dev $link nodad
  ip -n $space link set $link up
done
ip netns exec $there tcpdump -q -U -i right -w "$file" 2>/dev/null &
tcpdump=$!
sleep 1

head -c 30000 /dev/urandom >"$folder/random"
seq 1 2000 >"$folder/numbers"
ip netns exec $there python3 -m http.server -d "$folder" -b :: 8000 >/dev/null 2>&1 &
ip netns exec $there python3 - <<'PYTHON' &
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 5353))
while True:
    question, client = server.recvfrom(2000)
    server.sendto(question[::-1] * 2, client)
PYTHON
# Tagged frames, by raw sockets: not every kernel has VLAN devices.
tagged() {
  ip netns exec "$1" python3 - "$@" <<'PYTHON'
import socket, struct, sys
_, link, last, count = sys.argv[1:]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind((link, 0))
source, target = bytes([10, 20, 100, int(last)]), bytes([10, 20, 100, 3 - int(last)])
for number in range(int(count)):
    payload = b"tagged %d " % number * 9
    udp = struct.pack("!HHHH", 40000, 5353, 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, source, target)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~total & 0xffff) + header[12:]
    raw.send(b"\xff" * 6 + raw.getsockname()[4] + struct.pack("!HHH", 0x8100, 100, 0x0800) + header + udp)
PYTHON
}
sleep 1
run() { ip netns exec $here "$@"; }
fetch() { run python3 -c "import sys, urllib.request; print(len(urllib.request.urlopen(sys.argv[1]).read()))" "$1"; }
run ping -q -c 5 -i 0.2 10.20.0.2
run ping -q -c 3 -i 0.2 -s 1400 10.20.0.2
run ping -q -c 2 -i 0.2 -s 3000 10.20.0.2
run ping -q -c 4 -i 0.2 fd20::2
fetch http://10.20.0.2:8000/random
fetch http://10.20.0.2:8000/numbers
fetch "http://[fd20::2]:8000/numbers"
tagged $here left 1 12
tagged $there right 2 7
run python3 - <<'PYTHON'
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(20):
    client.sendto(b"question %d" % number * (number + 1), ("10.20.0.2", 5353))
    client.recv(4000)
PYTHON
sleep 1
kill $tcpdump
wait $tcpdump || true
ls -l "$file"
