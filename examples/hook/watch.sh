#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# watch.sh PORTOLAN EXAMPLES: a server that runs, an observer that comes and goes, and bpftool, which shows what is attached.
set -euo pipefail
portolan=$1 examples=$2
runtime=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/hook-example-XXXXXX")
trap 'rm -rf "$runtime"' EXIT
PATH=$PATH:/usr/sbin:/sbin

coproc server { "$examples/server" "$runtime" 1000; }
server_in=${server[1]} server_out=${server[0]}
say() { # to the server; its answer
  echo serve >&"$server_in"
  read -r answer <&"$server_out"
  echo "server: $answer"
}
read -r answer <&"$server_out"
echo "server: $answer"
say

mkfifo "$runtime/to_observer" "$runtime/from_observer"
"$portolan" run --runtime "$runtime" -- "$examples/observe" "$examples/requests.bpf.o" \
  < "$runtime/to_observer" > "$runtime/from_observer" &
exec 5> "$runtime/to_observer" 6< "$runtime/from_observer"
read -r answer <&6
echo "observer: $answer"
"$portolan" run --runtime "$runtime" -- bpftool link show | sed -E -e 's/^[0-9]+:/ID:/' -e 's/prog [0-9]+/prog ID/' -e '/pids/d'
say
say
echo show >&5
for _ in 1 2 3 4; do
  read -r answer <&6
  echo "observer: $answer"
done
exec 5>&- 6<&-
wait %2 || true
"$portolan" run --runtime "$runtime" -- bpftool link show
say
