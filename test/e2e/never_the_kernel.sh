#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# never_the_kernel.sh PORTOLAN RAW_CALL: a bpf(2) that the shim cannot see gets ENOSYS, as root too, and a message that names the
# program; the program that makes it and its exit status are otherwise left alone.
set -u
portolan=$1 raw=$2
failed=0
expect() { # what, wanted, got
  [[ $2 == "$3" ]] && return
  printf '%s: expected "%s", got "%s"\n' "$1" "$2" "$3"
  failed=1
}
enosys=-38
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
expect "raw call" $enosys "$("$portolan" run -- "$raw" 2> "$errors")"
expect "the message names the program" "$(basename "$raw")" "$(grep -o "$(basename "$raw")" "$errors" | head -1)"
expect "raw call of a grandchild" $enosys "$("$portolan" run -- bash -c "$raw; true" 2> "$errors")"
expect "without the preload library" $enosys "$("$portolan" run -- env -u LD_PRELOAD "$raw" 2> "$errors")"
"$portolan" run -- bash -c 'exit 7'
expect "exit status" 7 $?
"$portolan" run -- bash -c 'kill -TERM $$' 2> /dev/null
expect "exit status after a signal" 143 $?
"$portolan" run -- /no/such/program 2> "$errors"
expect "exit status without a program" 127 $?
expect "and a message" /no/such/program "$(grep -o /no/such/program "$errors" | head -1)"
"$portolan" run 2> "$errors"
expect "exit status of a wrong command line" 125 $?
own=$(mktemp -d) # where no other test has private runtimes
XDG_RUNTIME_DIR=$own "$portolan" run -- bpftool map create /sys/fs/bpf/left type array key 4 value 4 entries 1 name left
expect "private runtimes left behind" "" "$(ls -A "$own")"
rm -r "$own"
[[ $failed == 0 ]] && echo "ok"
exit $failed
