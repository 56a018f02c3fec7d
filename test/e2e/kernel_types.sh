#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernel_types.sh PORTOLAN OBJECTS: kernel types that do not depend on the machine. Unmodified clients find them where the kernel
# shows its own; they are those of a file, or Portolan's, or the machine's, and stay what they are for as long as the runtime.
set -u
portolan=$1 objects=$2
vmlinux=/sys/kernel/btf/vmlinux
failed=0
expect() { # what, wanted, got
  [[ $2 == "$3" ]] && return
  printf '%s: expected "%s", got "%s"\n' "$1" "$2" "$3"
  failed=1
}
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
run() { "$portolan" run "$@"; }
has() { grep -c "FUNC '$1'"; } # in bpftool's listing

# --- our own, by path and by id, in full
run --btf builtin -- bpftool btf dump file $vmlinux > "$temporary"/by_path
run --btf builtin -- bpftool btf dump id 1 > "$temporary"/by_id
expect "an iterator" 1 "$(has bpf_iter_bpf_map_elem < "$temporary"/by_path)"
expect "a kfunc" 1 "$(has bpf_iter_num_new < "$temporary"/by_path)"
expect "by id" "" "$(diff "$temporary"/by_path "$temporary"/by_id | head -3)"
expect "listed" "1: name [vmlinux]" "$(run --btf builtin -- bpftool btf show | grep -o '^1: name \[vmlinux\]')"
run --btf builtin -- cat $vmlinux > "$temporary"/ours
expect "the same each time" "" "$(run --btf builtin -- cmp "$temporary"/ours $vmlinux 2>&1)"
expect "what stat says" "regular file $(stat -c %s "$temporary"/ours)" "$(run --btf builtin -- stat -c '%F %s' $vmlinux)"
run --btf builtin -- test -r $vmlinux
expect "readable" 0 $?
run --btf builtin -- test -w $vmlinux -a "$(id -u)" != 0
expect "not writable" 1 $?
expect "as C" 1 "$(run --btf builtin -- bpftool btf dump file $vmlinux format c | grep -c '^struct bpf_iter__bpf_map_elem {')"

# --- programs by them: an iterator through the elements of a map
session='
  bpftool map create /sys/fs/bpf/numbers type array key 4 value 8 entries 2 name numbers
  bpftool map update pinned /sys/fs/bpf/numbers key 1 0 0 0 value 5 0 0 0 0 0 0 0
  bpftool iter pin "$0"/elements.bpf.o /sys/fs/bpf/all map pinned /sys/fs/bpf/numbers
  cat /sys/fs/bpf/all'
expect "an iterator reads" $'0 is 0\n1 is 5' "$(run --btf builtin -- bash -c "$session" "$objects" 2>&1)"

# --- a file; processes of the runtime agree, and other types are refused by name
expect "a file" $'0 is 0\n1 is 5' "$(run --btf "$temporary"/ours -- bash -c "$session" "$objects" 2>&1)"
expect "by the environment" "" "$(PORTOLAN_BTF=$temporary/ours "$portolan" run -- cmp "$temporary"/ours $vmlinux 2>&1)"
run --runtime "$temporary"/kept --btf builtin -- true
expect "kept" "" "$(run --runtime "$temporary"/kept -- cmp "$temporary"/ours $vmlinux 2>&1)"
head -c 1000 /dev/zero > "$temporary"/zeros
mkdir "$temporary"/private
message=$(XDG_RUNTIME_DIR=$temporary/private "$portolan" run --btf "$temporary"/zeros -- true 2>&1)
expect "a bad file" 125 $?
expect "leaves nothing behind" "" "$(ls -A "$temporary"/private)"
expect "its message" "portolan run: '$temporary/zeros' has no types of a kernel: Invalid magic" "$message"
expect "no file" 125 "$(run --btf "$temporary"/absent -- true 2> /dev/null; echo $?)"
if [[ -r $vmlinux ]]; then
  message=$(run --runtime "$temporary"/kept --btf $vmlinux -- true 2>&1)
  expect "other types" 125 $?
  expect "their message" 1 "$(grep -c "kept' has other types of a kernel than '$vmlinux'" <<< "$message")"
  expect "the machine's" "" "$(run -- bash -c "cat $vmlinux" | cmp -n "$(stat -c %s $vmlinux)" - $vmlinux 2>&1)"
fi

# --- a machine without any
hidden() { unshare -rm bash -c 'mount -t tmpfs none /sys/kernel/btf 2> /dev/null && exec "$@"' hidden "$@"; }
if [[ -d /sys/kernel/btf ]] && hidden true 2> /dev/null; then
  expect "hidden" 1 "$(hidden test -e $vmlinux; echo $?)"
  expect "without any" "" "$(hidden "$portolan" run -- cmp "$temporary"/ours $vmlinux 2>&1)"
  expect "an iterator without any" $'0 is 0\n1 is 5' "$(hidden "$portolan" run -- bash -c "$session" "$objects" 2>&1)"
else
  echo "not tried: a machine without BTF (no mounts in a namespace of one's own)"
fi
[[ $failed == 0 ]] && echo "ok"
exit $failed
