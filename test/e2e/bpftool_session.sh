#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What people do with bpftool and maps, and what they get wrong.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
id_of() { bpftool -j map show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }

section create
t bpftool map create $fs/arr type array key 4 value 8 entries 4 name e2e_arr
t bpftool map create $fs/hash type hash key 4 value 8 entries 16 name e2e_hash
t bpftool map create $fs/pa type percpu_array key 4 value 8 entries 3 name e2e_pa
t bpftool map create $fs/ph type percpu_hash key 8 value 12 entries 8 name e2e_ph
t bpftool map create $fs/np type hash key 3 value 5 entries 7 name e2e_np flags 1
t bpftool map create $fs/zs type hash key 4 value 4 entries 7 name e2e_zs flags 0x41
t bpftool map create $fs/numa type array key 4 value 4 entries 2 name e2e_numa flags 4
t bpftool map create $fs/mm type array key 4 value 4 entries 2 name e2e_mm flags 0x400
t bpftool map create $fs/rp type array key 4 value 4 entries 2 name e2e_rp flags 0x80
t bpftool map create $fs/wp type hash key 4 value 4 entries 2 name e2e_wp flags 0x100
t bpftool map create $fs/ro type array key 4 value 4 entries 2 name e2e_ro flags 0x8
t bpftool map create $fs/wo type hash key 4 value 4 entries 2 name e2e_wo flags 0x10
t bpftool map create $fs/noname type array key 4 value 4 entries 1 name ""
t bpftool map create $fs/longname type array key 4 value 4 entries 1 name e2e_a_name_too_long_for_it
t bpftool map create $fs/dotted type array key 4 value 4 entries 1 name e2e.dot_ted

section create: mistakes
t bpftool map create $fs/arr type array key 4 value 8 entries 4 name e2e_twice
t bpftool map create $fs/bad type array key 8 value 8 entries 4 name e2e_bad
t bpftool map create $fs/bad type array key 4 value 0 entries 4 name e2e_bad
t bpftool map create $fs/bad type array key 4 value 8 entries 0 name e2e_bad
t bpftool map create $fs/bad type array key 4 value 8 entries 1 name e2e_bad flags 1
t bpftool map create $fs/bad type hash key 0 value 8 entries 1 name e2e_bad
t bpftool map create $fs/bad type hash key 4 value 8 entries 1 name e2e_bad flags 0x400
t bpftool map create $fs/bad type hash key 4 value 8 entries 1 name e2e_bad flags 0x10000000
t bpftool map create $fs/bad type hash key 4 value 8 entries 1 name "e2e bad"
t bpftool map create $fs/bad type hash key 4 value 8 entries 1
t bpftool map create $fs/bad type nonsense key 4 value 8 entries 1 name e2e_bad
t bpftool map create $fs/bad type hash key 4 value 8 entries 1 name e2e_bad numa_node 77
t bpftool map create $fs/bad type hash key four value 8 entries 1 name e2e_bad
t bpftool map create $fs/no/such/dir type hash key 4 value 8 entries 1 name e2e_bad
t bpftool map create $fs/a.b type hash key 4 value 8 entries 1 name e2e_bad
t bpftool map create /no/such/dir/x type hash key 4 value 8 entries 1 name e2e_bad
t bpftool map create $fs/bad type percpu_array key 4 value 32776 entries 1 name e2e_bad
t bpftool map create
t bpftool -j map create $fs/bad type array key 8 value 8 entries 4 name e2e_bad
t ls $fs

section show
for map in arr hash pa ph np zs numa mm rp wp noname longname dotted; do
  t bpftool map show pinned $fs/$map
done
t bpftool map show pinned $fs/ro
t bpftool map show pinned $fs/wo
for option in -j -p -f -n -jf; do
  t bpftool $option map show pinned $fs/hash
  t bpftool $option map show pinned $fs/pa
done
hash_id=$(id_of $fs/hash) array_id=$(id_of $fs/arr)
t bpftool map show id $hash_id
t bpftool -j map list id $array_id
t bpftool map show name e2e_ph
t bpftool -p map show name e2e_ph
t bpftool map show name e2e_absent
t bpftool map show id 4294967295
t bpftool map show id nonsense
t bpftool map show pinned $fs/absent
t bpftool map show pinned $fs
t bpftool map show pinned /dev/null
t bpftool -j map show id 4294967295
t bpftool -p map show pinned $fs/absent
ours() { bpftool "$@" | grep -A2 'name e2e_' | grep -v '^--' | grep -v pids; }
t ours map show
t ours -f map show
ours_json() { bpftool "$@" | grep -o '{[^{}]*"name":"e2e_[^{}]*}'; }
t ours_json -j map show
t ours_json -jf map show

section update and lookup
t bpftool map update pinned $fs/arr key 0 0 0 0 value 1 2 3 4 5 6 7 8
t bpftool map update pinned $fs/arr key hex 01 00 00 00 value hex ff fe fd fc 0a 0b 0c 0d
t bpftool map update pinned $fs/arr key 2 0 0 0 value 1 2 3 4 5 6 7 8 exist
t bpftool map update pinned $fs/arr key 2 0 0 0 value 1 2 3 4 5 6 7 8 noexist
t bpftool map update pinned $fs/arr key 4 0 0 0 value 1 2 3 4 5 6 7 8
t bpftool map update pinned $fs/hash key 1 0 0 0 value 1 0 0 0 0 0 0 0 exist
t bpftool map update pinned $fs/hash key 1 0 0 0 value 1 0 0 0 0 0 0 0 noexist
t bpftool map update pinned $fs/hash key 1 0 0 0 value 2 0 0 0 0 0 0 0 noexist
t bpftool map update pinned $fs/hash key 1 0 0 0 value 3 0 0 0 0 0 0 0 any
t bpftool map update name e2e_hash key hex 02 00 00 00 value hex 01 02 03 04 05 06 07 08
t bpftool map update id $hash_id key 0x03 0 0 0 value 0x61 98 0143 0 0 0 0 0
t bpftool map update pinned $fs/hash key 1 0 0 value 1 0 0 0 0 0 0 0
t bpftool map update pinned $fs/hash key 1 0 0 0 value 1 0 0 0
t bpftool map update pinned $fs/hash key 1 0 0 0 0 value 1 0 0 0 0 0 0 0
t bpftool map update pinned $fs/hash key 1 0 0 0 value 1 0 0 0 0 0 0 256
t bpftool map update pinned $fs/hash key 1 0 0 0 value 1 0 0 0 0 0 0 0 sometimes
t bpftool map update pinned $fs/hash key 1 0 0 0 value pinned $fs/arr
t bpftool map update pinned $fs/hash
t bpftool map update pinned $fs/absent key 1 0 0 0 value 1 0 0 0 0 0 0 0
t bpftool map update pinned $fs/pa key 1 0 0 0 value 1 2 3 4 5 6 7 8
t bpftool map update pinned $fs/pa key 3 0 0 0 value 1 2 3 4 5 6 7 8
t bpftool map update pinned $fs/ph key 1 2 3 4 5 6 7 8 value 1 2 3 4 5 6 7 8 9 10 11 12
t bpftool map update pinned $fs/ph key 1 2 3 4 5 6 7 8 value 1 2 3 4 5 6 7 8 9 10 11 12 noexist
t bpftool map update pinned $fs/np key 1 2 3 value 1 2 3 4 5
t bpftool map update pinned $fs/ro key 1 0 0 0 value 1 0 0 0
t bpftool map update pinned $fs/wo key 1 0 0 0 value 1 0 0 0
t bpftool map update pinned $fs/rp key 1 0 0 0 value 1 0 0 0
t bpftool map update pinned $fs/wp key 1 0 0 0 value 1 0 0 0
t bpftool -j map update pinned $fs/arr key 3 0 0 0 value 9 9 9 9 9 9 9 9
t bpftool -j map update pinned $fs/arr key 9 0 0 0 value 9 9 9 9 9 9 9 9
for option in "" -j -p -f -n; do
  t bpftool $option map lookup pinned $fs/arr key 1 0 0 0
  t bpftool $option map lookup pinned $fs/arr key 7 0 0 0
  t bpftool $option map lookup pinned $fs/hash key 1 0 0 0
  t bpftool $option map lookup pinned $fs/hash key 9 0 0 0
  t bpftool $option map lookup pinned $fs/pa key 1 0 0 0
  t bpftool $option map lookup pinned $fs/ph key 1 2 3 4 5 6 7 8
  t bpftool $option map lookup pinned $fs/np key 1 2 3
done
t bpftool map lookup id $hash_id key hex 02 00 00 00
t bpftool map lookup name e2e_pa key 0 0 0 0
t bpftool map lookup pinned $fs/wo key 1 0 0 0
t bpftool map lookup pinned $fs/hash key
t bpftool map lookup pinned $fs/hash

section dump and getnext
for option in "" -j -f -n; do
  t bpftool $option map dump pinned $fs/arr
  sorted bpftool $option map dump pinned $fs/hash
  t bpftool $option map dump pinned $fs/pa
  t bpftool $option map dump pinned $fs/ph
  t bpftool $option map dump pinned $fs/np
  t bpftool $option map dump pinned $fs/zs
done
t bpftool -p map dump pinned $fs/arr
t bpftool -p map dump pinned $fs/pa
t bpftool -p map dump pinned $fs/ph
t bpftool -p map dump pinned $fs/zs
t bpftool map dump name e2e_arr
t bpftool map dump id $array_id
t bpftool map dump pinned $fs/wo
t bpftool map dump id 4294967295
t bpftool map dump pinned $fs/absent
for option in "" -j -p; do
  t bpftool $option map getnext pinned $fs/arr
  t bpftool $option map getnext pinned $fs/arr key 1 0 0 0
  t bpftool $option map getnext pinned $fs/arr key 3 0 0 0
  t bpftool $option map getnext pinned $fs/arr key 200 0 0 0
  t bpftool $option map getnext pinned $fs/ph
  t bpftool $option map getnext pinned $fs/ph key 1 2 3 4 5 6 7 8
  t bpftool $option map getnext pinned $fs/ph key 0 0 0 0 0 0 0 0
  t bpftool $option map getnext pinned $fs/zs
done
t bpftool map getnext pinned $fs/wo
t bpftool map getnext pinned $fs/arr key 1 0

section delete
t bpftool map delete pinned $fs/arr key 1 0 0 0
t bpftool map delete pinned $fs/pa key 1 0 0 0
t bpftool map delete pinned $fs/hash key 2 0 0 0
t bpftool map delete pinned $fs/hash key 2 0 0 0
t bpftool -j map delete pinned $fs/hash key 2 0 0 0
t bpftool -j map delete pinned $fs/hash key 3 0 0 0
t bpftool map delete pinned $fs/ph key 1 2 3 4 5 6 7 8
t bpftool map dump pinned $fs/ph
t bpftool map delete pinned $fs/hash
t bpftool map delete pinned $fs/ro key 1 0 0 0

section "push, pop, peek, enqueue, dequeue"
for map in arr hash pa ph; do
  t bpftool map peek pinned $fs/$map
  t bpftool map pop pinned $fs/$map
  t bpftool map dequeue pinned $fs/$map
  t bpftool map push pinned $fs/$map value 1 2 3 4 5 6 7 8
  t bpftool map enqueue pinned $fs/$map value 1 2 3 4 5 6 7 8
done
t bpftool -j map peek pinned $fs/hash
t bpftool -p map pop pinned $fs/arr

section freeze
t bpftool map freeze pinned $fs/arr
t bpftool map freeze pinned $fs/arr
t bpftool map update pinned $fs/arr key 0 0 0 0 value 9 9 9 9 9 9 9 9
t bpftool map delete pinned $fs/arr key 0 0 0 0
t bpftool map lookup pinned $fs/arr key 0 0 0 0
t bpftool map show pinned $fs/arr
t bpftool -j map show pinned $fs/arr
t bpftool -p map show pinned $fs/arr
t bpftool map freeze pinned $fs/wo
t bpftool map freeze pinned $fs/mm
t bpftool map freeze pinned $fs/pa
t bpftool map freeze pinned $fs/ph
t bpftool map show pinned $fs/ph
t bpftool map freeze id 4294967295
t bpftool map freeze

section pin
t bpftool map pin id $hash_id $fs/hash2
t bpftool map pin pinned $fs/hash $fs/hash3
t bpftool map pin name e2e_hash $fs/hash3
t bpftool map pin id $hash_id /no/such/dir/x
t bpftool map pin id $hash_id $fs/new_dir/hash
t bpftool map pin id $hash_id $fs/a.b
t bpftool map pin id 4294967295 $fs/absent
t bpftool -j map pin id $hash_id $fs/hash4
sorted bpftool -f map show pinned $fs/hash
t bpftool -jf map show pinned $fs/arr
t bpftool map dump pinned $fs/hash2

section batch
cat > "$E2E_TMP/batch" << 'EOF'
# comments and blank lines are skipped

map update pinned /sys/fs/bpf/zs key 1 0 0 0 value 5 0 0 0
map lookup pinned /sys/fs/bpf/zs key 1 0 0 0
map update pinned /sys/fs/bpf/zs key 1 0 0 0 \
  value 6 0 0 0
map dump pinned /sys/fs/bpf/zs
EOF
t bpftool batch file "$E2E_TMP/batch"
t bpftool -j batch file "$E2E_TMP/batch"
t bpftool -p batch file "$E2E_TMP/batch"
printf 'map lookup pinned /sys/fs/bpf/zs key 1 0 0 0\nmap lookup pinned /sys/fs/bpf/absent key 1 0 0 0\nmap dump pinned /sys/fs/bpf/zs\n' > "$E2E_TMP/fails"
t bpftool batch file "$E2E_TMP/fails"
t bpftool -j batch file "$E2E_TMP/fails"
t bpftool batch file "$E2E_TMP/absent"
stdin_batch() { echo 'map dump pinned /sys/fs/bpf/zs' | bpftool batch file -; }
t stdin_batch

section bpffs with coreutils
t mkdir $fs/dir
t mkdir $fs/dir
t mkdir -p $fs/dir/sub/subsub
t mkdir $fs/do.t
t bpftool map pin id $hash_id $fs/dir/sub/hash
t ls $fs
t ls -F $fs/dir
t ls $fs/absent
t find $fs/dir
t stat -c '%n %F %a %s %h' $fs/hash
t stat -c '%n %F %a' $fs/dir
t stat -f -c '%T %t' $fs
t stat -c '%n %F' $fs/absent
t test -e $fs/hash
t test -f $fs/hash
t test -d $fs/dir
t test -e $fs/absent
t cat $fs/hash
t touch $fs/file
t mv $fs/hash4 $fs/hash5
t ls $fs
t rmdir $fs/dir
t rm $fs/dir
t rm $fs/dir/sub/hash
t rmdir $fs/dir/sub/subsub
t rmdir $fs/dir/sub
t rm -r $fs/dir
t rm $fs/hash $fs/hash2 $fs/hash3
t bpftool map show id $hash_id
t rm $fs/hash5
t bpftool map show id $hash_id
t rm $fs/absent
t chmod 644 $fs/zs
t stat -c '%n %F %a' $fs/zs
t ln $fs/zs $fs/zs_link
t ln -s zs $fs/zs_symlink
t bpftool map dump pinned $fs/zs_symlink
t ls $fs
