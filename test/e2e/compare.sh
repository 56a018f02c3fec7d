#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# compare.sh [--bless] PORTOLAN NAME COMMAND…: runs COMMAND twice, on the kernel's own BPF (as root, in a mount namespace with a bpf
# file system on /sys/fs/bpf) and under `portolan run` (as an unprivileged user), and compares what the two print, ids
# and addresses evened out. Where the kernel does not let us, what it printed elsewhere (golden/NAME.txt) stands in for it.
# Exit status: 0 the same, 1 different, 77 nothing to compare with.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bless=
[[ $1 == --bless ]] && bless=1 && shift
portolan=$1 name=$2
shift 2
PATH=${E2E_TOOLS:-$(dirname "$portolan")/e2e}:$PATH:/usr/sbin:/sbin
command -v "$1" > /dev/null || { echo "$name: no program $1 in $PATH" >&2; exit 2; }
work=$(mktemp -d /tmp/e2e-XXXXXX) && chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
golden=$here/golden/$name.txt
build=$(cd "$(dirname "$portolan")" && pwd)

# Only what must differ: ids, addresses (printed as hashes by the kernel), what the kernel itself pays for a map, and the
# two files that it puts into each bpf file system. The ids of BTF types stay.
normalise() {
  sed -E -e "s#$here/##g" -e "s#$build/##g" \
    -e 's/^[0-9]+: ((hash|array|percpu_hash|percpu_array|queue|stack|bloom_filter|[a-z]+_of_maps|prog_array|ringbuf)( |$))/ID: \1/' \
    -e 's/^[0-9]+: (name |size )/ID: \1/' \
    -e '/^            "id"/!s/"id": ?[0-9]+,("type"|"size"|"name"|$)/"id":ID,\1/g' \
    -e 's/"btf_id": ?[0-9]+/"btf_id":ID/g' -e 's/\bbtf_id [0-9]+/btf_id ID/g' \
    -e 's/\bid [0-9]+/id ID/g' -e 's/(inner_map_id: ?|inner_map_id":)[0-9]+/\1ID/' -e 's/(prog_id: ?|prog_id":)[0-9]+/\1ID/' -e 's/by id \([0-9]+\)/by id (ID)/g' -e 's/"map_ids": ?\[[0-9, ]+/"map_ids":[IDS/' \
    -e 's/  map_ids( [0-9]+,?|[0-9]+,?)+/  map_ids IDS/' \
    -e '/^(maps|progs)\.debug$/d' -e 's/0x0{16}/NULL/g' -e 's/0x[0-9a-f]{16}/ADDRESS/g' \
    -e 's/memlock [0-9]+B/memlock N/' -e 's/"bytes_memlock": ?[0-9]+/"bytes_memlock":N/g'
}

kernel_lets_us() {
  [[ $(id -u) == 0 ]] && unshare -m bash -c 'mount -t bpf bpf /sys/fs/bpf && bpftool map create /sys/fs/bpf/probe type array key 4 value 4 entries 1 name probe' 2>/dev/null
}

on_kernel() {
  # In the place of what bpftool may have mounted there before.
  unshare -m --propagation private bash -c 'while umount /sys/fs/bpf 2>/dev/null; do :; done
    mount -t bpf -o mode=700 bpf /sys/fs/bpf && exec "$@"' - "$@"
}

on_portolan() {
  local as_user=()
  [[ $(id -u) == 0 ]] && as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/tmp XDG_RUNTIME_DIR=)
  timeout 300 "${as_user[@]}" "$portolan" run -- "$@"
}

mkdir -m 777 "$work/kernel.tmp" "$work/portolan.tmp"
if kernel_lets_us; then
  E2E_TMP=$work/kernel.tmp on_kernel "$@" > "$work/kernel.raw" 2>&1 < /dev/null
  sed "s#$work/kernel.tmp#TMP#g" "$work/kernel.raw" | normalise > "$work/kernel"
  [[ -n $bless ]] && mkdir -p "$here/golden" && cp "$work/kernel" "$golden"
elif [[ -e $golden && $(< /sys/devices/system/cpu/possible) == 0-1 ]]; then
  echo "$name: the kernel refuses bpf(2) here; compared with what it said elsewhere ($golden)"
  cp "$golden" "$work/kernel"
else
  echo "$name: skipped: the kernel refuses bpf(2) here, and $golden was made with two possible CPUs"
  exit 77
fi
[[ -n $bless ]] && exit 0
E2E_TMP=$work/portolan.tmp on_portolan "$@" > "$work/portolan.raw" 2>&1 < /dev/null
sed "s#$work/portolan.tmp#TMP#g" "$work/portolan.raw" | normalise > "$work/portolan"
[[ -n ${E2E_KEEP:-} ]] && mkdir -p "$E2E_KEEP" && cp "$work"/{kernel,portolan}{,.raw} "$E2E_KEEP" 2>/dev/null
if diff -u --label kernel --label portolan "$work/kernel" "$work/portolan"; then
  echo "$name: the same on both, $(wc -l < "$work/kernel") lines"
else
  echo "$name: different"
  exit 1
fi
