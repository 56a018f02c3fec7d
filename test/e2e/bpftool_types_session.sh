#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpftool on maps without keys, maps of objects, and ring buffers. $1: a folder with program objects.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
id_of() { bpftool -j map show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }
# The same without the ids that are values.
even() {
  "$@" | sed -E 's/(value: )([0-9a-f]{2} ?){4}/\1ID/; s/("value":\[)[^]]*/\1ID/g'
  return "${PIPESTATUS[0]}"
}
prog_id_of() { bpftool -j prog show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }

section "queue and stack"
for type in queue stack; do
  t bpftool map create $fs/$type type $type key 0 value 4 entries 3 name e2e_$type
  t bpftool map show pinned $fs/$type
  t bpftool -j map show pinned $fs/$type
  t bpftool map peek pinned $fs/$type
  t bpftool map pop pinned $fs/$type
  for n in 1 2 3; do t bpftool map push pinned $fs/$type value $n 0 0 0; done
  t bpftool map enqueue pinned $fs/$type value 4 0 0 0
  t bpftool map peek pinned $fs/$type
  t bpftool -j map peek pinned $fs/$type
  t bpftool map dequeue pinned $fs/$type
  t bpftool -p map pop pinned $fs/$type
  t bpftool map update pinned $fs/$type value 9 0 0 0
  t bpftool map update pinned $fs/$type key 0 0 0 0 value 9 0 0 0
  t bpftool map lookup pinned $fs/$type
  t bpftool map lookup pinned $fs/$type key 0 0 0 0
  t bpftool map delete pinned $fs/$type
  t bpftool map getnext pinned $fs/$type
  t bpftool map dump pinned $fs/$type
  t bpftool -j map dump pinned $fs/$type
  t bpftool map freeze pinned $fs/$type
  t bpftool map push pinned $fs/$type value 1 0 0 0
  t bpftool map peek pinned $fs/$type
done
t bpftool map create $fs/bad type queue key 4 value 4 entries 3 name e2e_bad
t bpftool map create $fs/bad type stack key 0 value 0 entries 3 name e2e_bad
t bpftool map create $fs/bad type queue key 0 value 4 entries 0 name e2e_bad

section "bloom filter"
t bpftool map create $fs/bloom type bloom_filter key 0 value 8 entries 100 name e2e_bloom
t bpftool map show pinned $fs/bloom
t bpftool map update pinned $fs/bloom value 1 2 3 4 5 6 7 8
t bpftool map push pinned $fs/bloom value 1 2 3 4 5 6 7 8
t bpftool map peek pinned $fs/bloom
t bpftool map lookup pinned $fs/bloom
t bpftool map pop pinned $fs/bloom
t bpftool map delete pinned $fs/bloom
t bpftool map getnext pinned $fs/bloom
t bpftool map dump pinned $fs/bloom
t bpftool map create $fs/bad type bloom_filter key 4 value 8 entries 100 name e2e_bad

section "maps of maps"
t bpftool map create $fs/inner type array key 4 value 8 entries 2 name e2e_inner
t bpftool map create $fs/other type array key 4 value 8 entries 2 name e2e_other
t bpftool map create $fs/unlike type array key 4 value 4 entries 2 name e2e_unlike
for type in array_of_maps hash_of_maps; do
  t bpftool map create $fs/$type type $type key 4 value 4 entries 3 name e2e_${type%_maps} inner_map pinned $fs/inner
  t bpftool map show pinned $fs/$type
  t even bpftool map lookup pinned $fs/$type key 1 0 0 0
  t bpftool map update pinned $fs/$type key 1 0 0 0 value pinned $fs/inner
  t bpftool map update pinned $fs/$type key 1 0 0 0 value pinned $fs/other
  t bpftool map update pinned $fs/$type key 2 0 0 0 value id $(id_of $fs/inner)
  t bpftool map update pinned $fs/$type key 2 0 0 0 value pinned $fs/unlike
  t bpftool map update pinned $fs/$type key 2 0 0 0 value 1 0 0 0
  t even bpftool map lookup pinned $fs/$type key 1 0 0 0
  t even bpftool -j map lookup pinned $fs/$type key 1 0 0 0
  sorted even bpftool map dump pinned $fs/$type
  sorted even bpftool -j map dump pinned $fs/$type
  t bpftool map delete pinned $fs/$type key 1 0 0 0
  t bpftool map delete pinned $fs/$type key 1 0 0 0
  sorted even bpftool map dump pinned $fs/$type
  t bpftool map create $fs/bad type $type key 4 value 4 entries 3 name e2e_bad
  t bpftool map create $fs/bad type $type key 4 value 4 entries 3 name e2e_bad inner_map pinned $fs/$type
  t bpftool map create $fs/bad type $type key 4 value 8 entries 3 name e2e_bad inner_map pinned $fs/inner
done

section "programs"
t bpftool map create $fs/progs type prog_array key 4 value 4 entries 3 name e2e_progs
t bpftool map show pinned $fs/progs
t bpftool prog load $1/xdp_echo.bpf.o $fs/echo
t bpftool prog load $1/sock_ports.bpf.o $fs/ports
t bpftool map update pinned $fs/progs key 1 0 0 0 value pinned $fs/echo
t bpftool map update pinned $fs/progs key 2 0 0 0 value id $(prog_id_of $fs/echo)
t bpftool map update pinned $fs/progs key 0 0 0 0 value pinned $fs/ports
t bpftool map update pinned $fs/progs key 3 0 0 0 value pinned $fs/echo
t bpftool map update pinned $fs/progs key 0 0 0 0 value 1 0 0 0
t even bpftool map lookup pinned $fs/progs key 1 0 0 0
t even bpftool map lookup pinned $fs/progs key 0 0 0 0
t even bpftool map dump pinned $fs/progs
t even bpftool -j map dump pinned $fs/progs
t bpftool map getnext pinned $fs/progs key 0 0 0 0
t bpftool map delete pinned $fs/progs key 1 0 0 0
t bpftool map delete pinned $fs/progs key 1 0 0 0
t even bpftool map dump pinned $fs/progs

section "ring buffer"
t bpftool map create $fs/ring type ringbuf key 0 value 0 entries 4096 name e2e_ring
t bpftool map show pinned $fs/ring
t bpftool map dump pinned $fs/ring
t bpftool map lookup pinned $fs/ring
t bpftool map getnext pinned $fs/ring
t bpftool map update pinned $fs/ring value 1 0 0 0
t bpftool map create $fs/bad type ringbuf key 0 value 0 entries 100 name e2e_bad
t bpftool map create $fs/bad type ringbuf key 4 value 0 entries 4096 name e2e_bad
t ls $fs
