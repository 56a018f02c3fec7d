#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tracelog.sh OBJECT, under `portolan run`: what OBJECT's program prints comes out of an unmodified bpftool, and of the
# tracefs that everybody else reads.
set -euo pipefail
command -v bpftool >/dev/null || PATH=$PATH:/usr/sbin
command -v bpftool >/dev/null || { echo "no bpftool"; exit 77; }
folder=$(mktemp -d)
trap 'kill "${reader:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT

head -c 64 /dev/zero >"$folder/packet"
bpftool prog load "$1" /sys/fs/bpf/printing
expect() { # LINE TEXT
  [[ $1 =~ ^\ *bpftool-[0-9]+\ +\[[0-9]{3}\]\ \.{5}\ +[0-9]+\.[0-9]{6}:\ bpf_trace_printk:\ "$2"$ ]] || {
    echo "\"$1\" is not a line of \"$2\""
    exit 1
  }
}

stop_reader() { # and wait: it would take what the next one is to read
  kill "$reader"
  wait "$reader" || true
}

# Printed before anybody reads …
bpftool prog run pinned /sys/fs/bpf/printing data_in "$folder/packet" >"$folder/verdict"
grep -q 'Return value: 2' "$folder/verdict"
exec 3< <(exec stdbuf -oL bpftool prog tracelog)
reader=$!
read -r line <&3
expect "$line" "64 bytes"
read -r line <&3
expect "$line" "many: 1 2 3 4"
# … and while somebody does.
bpftool prog run pinned /sys/fs/bpf/printing data_in "$folder/packet" >/dev/null
read -r line <&3
expect "$line" "64 bytes"
read -r line <&3
stop_reader

bpftool prog run pinned /sys/fs/bpf/printing data_in "$folder/packet" >/dev/null
for place in /sys/kernel/tracing /sys/kernel/debug/tracing; do
  exec 3< <(exec cat "$place/trace_pipe")
  reader=$!
  read -r line <&3
  stop_reader
  [[ -n $line ]]
  bpftool prog run pinned /sys/fs/bpf/printing data_in "$folder/packet" >/dev/null
done
echo "trace lines came out"
