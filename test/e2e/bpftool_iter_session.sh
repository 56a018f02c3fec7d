#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pinned iterators, as people make and read them. OBJECT: with one program.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
cp "$1" "$E2E_TMP"/elements.o
cd "$E2E_TMP" || exit 1

section make
t bpftool map create $fs/numbers type array key 4 value 8 entries 3 name numbers
t bpftool map create $fs/names type hash key 4 value 4 entries 3 name names
t bpftool map create $fs/line type queue value 8 entries 3 name line
t bpftool map update pinned $fs/numbers key 1 0 0 0 value 5 0 0 0 0 0 0 0
t bpftool iter pin elements.o $fs/all
t bpftool iter pin elements.o $fs/all map pinned $fs/numbers
t bpftool iter pin elements.o $fs/all map pinned $fs/numbers
t bpftool iter pin elements.o $fs/short map pinned $fs/names
t bpftool iter pin elements.o $fs/queued map pinned $fs/line
t bpftool iter pin elements.o $fs/by_name map name numbers
t bpftool iter pin absent.o $fs/absent
t ls $fs

section read
t cat $fs/all
t bpftool map update pinned $fs/numbers key 2 0 0 0 value 9 0 0 0 0 0 0 0
t cat $fs/all $fs/by_name
t head -n 1 $fs/all
t dd if=$fs/all bs=4 count=3 status=none
t bash -c "while read -r line; do echo \"\$line.\"; done < $fs/all"
t bash -c "exec 3< $fs/all; head -c 7 <&3; echo; cat <&3"
t python3 -c "print(open('$fs/all').read())"
t awk '{ print $3 }' $fs/all
t cp $fs/all copy
t cat copy
t grep -c is $fs/all
t bash -c "echo x > $fs/all"

section links
shown() { "$@" | sed -E -e 's/^[0-9]+:/ID:/' -e 's/"?(prog|map)(_id)?"?[ :]*[0-9]+/\1 ID/g' -e '/^\tpids/d' -e 's/,"pids":.*]//'; }
t shown bpftool link show pinned $fs/all
t shown bpftool -j link show pinned $fs/all
t bpftool link detach pinned $fs/all
t rm $fs/numbers
t cat $fs/all
t rm $fs/all
t cat $fs/all
t cat $fs/by_name
