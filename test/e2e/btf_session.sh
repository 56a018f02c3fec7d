#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpftool and cat on maps with BTF.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
id_of() { bpftool -j map show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }
btf_id_of() { bpftool -j map show pinned "$1" | sed -E 's/.*"btf_id":([0-9]+).*/\1/'; }

section make
t btf_maps $fs
t ls $fs

section show and dump
for map in arr hash pa ph lock int empty; do
  for option in "" -j -p -f; do
    t bpftool $option map show pinned $fs/e2e_btf_$map
    t bpftool $option map dump pinned $fs/e2e_btf_$map
  done
done
t bpftool map lookup pinned $fs/e2e_btf_arr key 2 0 0 0
t bpftool -j map lookup pinned $fs/e2e_btf_arr key 2 0 0 0
t bpftool map lookup pinned $fs/e2e_btf_hash key 1 0 0 127 0x50 0 6 0
t bpftool map lookup pinned $fs/e2e_btf_hash key 1 0 0 0 0 0 6 0
t bpftool -p map lookup pinned $fs/e2e_btf_ph key 1 0 0 127 0x50 0 6 0
t bpftool map getnext pinned $fs/e2e_btf_hash
t bpftool -j map getnext pinned $fs/e2e_btf_arr

section cat
for map in arr hash pa ph lock int empty; do
  t cat $fs/e2e_btf_$map
done
show_programs() { cat $fs/e2e_btf_progs | sed -E 's/^([0-9]+): [0-9]+/\1: ID/'; }
t show_programs
t head -c 100 $fs/e2e_btf_arr
t bpftool map update pinned $fs/e2e_btf_int key 1 0 0 0 value 255 255 255 255
t cat $fs/e2e_btf_int
write_to_pin() { echo x > $fs/e2e_btf_int; }
t write_to_pin

section btf
btf_id=$(btf_id_of $fs/e2e_btf_arr) map_id=$(id_of $fs/e2e_btf_arr)
show_btf() { bpftool "$@" | sed -E 's/ +pids .*//'; }
for option in "" -j -p; do
  t show_btf $option btf show id $btf_id
  t bpftool $option btf dump id $btf_id
  t bpftool $option btf dump map id $map_id
  t bpftool $option btf dump map id $map_id key
  t bpftool $option btf dump map pinned $fs/e2e_btf_hash value
  t bpftool $option btf dump map pinned $fs/e2e_btf_hash kv
  t bpftool $option btf dump map name e2e_btf_pa all
done
t bpftool btf dump id $btf_id format c
t bpftool btf dump id $btf_id format raw
t bpftool btf dump id $btf_id format nonsense
t bpftool btf dump id 4294967295
t bpftool -j btf dump id 4294967295
t bpftool btf show id 4294967295
t bpftool btf dump map pinned $fs/absent
t bpftool btf dump file /dev/null
t bpftool map create $fs/no_btf type array key 4 value 4 entries 1 name e2e_no_btf
t bpftool btf dump map pinned $fs/no_btf

section lifetime of BTF
t rm $fs/e2e_btf_hash $fs/e2e_btf_pa $fs/e2e_btf_ph $fs/e2e_btf_lock $fs/e2e_btf_int $fs/e2e_btf_empty $fs/e2e_btf_progs
t show_btf btf show id $btf_id
t rm $fs/e2e_btf_arr
gone_soon() { for i in {1..50}; do bpftool btf show id $btf_id > "$E2E_TMP/soon" 2>&1 || break; done; }
gone_soon
t bpftool btf show id $btf_id
t bpftool map show id $map_id
