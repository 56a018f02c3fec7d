#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# session.sh PORTOLAN HOST ATTACH OBJECT: a host that runs, and libbpf that attaches to what it has declared.
set -euo pipefail
portolan=$1 binary=$2 attach=$3 object=$4
runtime=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/probes-XXXXXX")
trap 'rm -rf "$runtime"' EXIT
PATH=$PATH:/usr/sbin:/sbin

coproc host { "$binary" "$runtime"; }
host_in=${host[1]} host_out=${host[0]}
read -r answer <&"$host_out"
work() { # in the host; its answer
  echo work >&"$host_in"
  read -r answer <&"$host_out"
  echo "host: $answer"
}
work
mkfifo "$runtime/to" "$runtime/from"
"$portolan" run --runtime "$runtime" -- "$attach" "$object" "$binary" < "$runtime/to" > "$runtime/from" &
exec 5> "$runtime/to" 6< "$runtime/from"
while read -r answer <&6; do
  echo "$answer"
  [ "$answer" != attached ] || break
done
"$portolan" run --runtime "$runtime" -- bpftool link show | sed -E -e 's/^[0-9]+:/ID:/' -e 's/prog [0-9]+/prog ID/' -e '/pids/d'
work
work
echo show >&5
read -r answer <&6
echo "sums: $answer"
exec 5>&- 6<&-
wait %2 || true
work
"$portolan" run --runtime "$runtime" -- bpftool link show
