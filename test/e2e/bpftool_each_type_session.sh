#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every `bpftool map` command on a map of each type: as that type wants it, and with what is not for it, missing or malformed.
# $1: a folder with program objects.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
cd "$1" || exit
id_of() { bpftool -j map show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }
prog_id_of() { bpftool -j prog show pinned "$1" | sed -E 's/.*"id":([0-9]+).*/\1/'; }
# Of maps of objects, values are ids; and the kernel's programs are machine code, Portolan's are not.
objects=
even() {
  if [[ -n $objects ]]; then
    sed -zE 's/^[0-9]+: ([a-z])/ID: \1/; s/owner (not )?jited/owner CODE/; s/("owner_jited": ?)(true|false)/\1CODE/
      s/(value: |value:\n)([0-9a-f]{2} ?){4}/\1ID/g; s/("value": ?\[)[^]]*/\1ID/g'
  else
    sed -E 's/^[0-9]+: ([a-z])/ID: \1/'
  fi
}
even_sorted() { elements_sorted | even; }
t() { transcribe even "$@"; }
briefly() { t "$@" | sed '/^!  /d'; }
sorted() { transcribe even_sorted "$@"; }

# each NAME TYPE SIZES KEY OTHER ABSENT VALUE SECOND: SIZES as `create` takes them; KEY, OTHER: keys that the map may have; ABSENT: one
# that it has not. Keys, empty for types without, begin with "key", values with "value".
each() {
  local name=$1 type=$2 sizes=$3 key=$4 other=$5 absent=$6 value=$7 second=$8
  local map="pinned $fs/$1" option words
  section "$name"
  t bpftool map create $fs/$name type $type $sizes name t_$name
  for option in "" -j -p -n -jf; do t bpftool $option map show $map; done
  t bpftool map list $map
  t bpftool map show $map more

  # Nothing in it.
  for option in "" -j -p; do
    t bpftool $option map lookup $map $key
    t bpftool $option map getnext $map
    t bpftool $option map dump $map
  done
  t bpftool map getnext $map $key
  t bpftool map delete $map $key
  for words in peek pop dequeue; do t bpftool map $words $map; done
  for words in peek pop dequeue; do t bpftool -j map $words $map; done

  # One element.
  t bpftool map update $map $key $value exist
  t bpftool map update $map $key $value noexist
  t bpftool map update $map $key $value noexist
  t bpftool map update $map $key $second exist
  t bpftool map update $map $key $value
  for option in "" -j -p; do
    t bpftool $option map lookup $map $key
    t bpftool $option map getnext $map
    t bpftool $option map getnext $map $key
    t bpftool $option map dump $map
    t bpftool $option map peek $map
  done
  t bpftool map getnext $map $absent
  t bpftool map lookup $map $absent
  t bpftool -j map lookup $map $absent

  # More of them.
  t bpftool map update $map $other $second any
  t bpftool map update $map $absent $value exist
  t bpftool -j map update $map $key $second
  t bpftool -j map update $map $absent $value exist
  t bpftool map lookup $map $other
  sorted bpftool map dump $map
  sorted bpftool -j map dump $map
  t bpftool map push $map $value
  t bpftool map enqueue $map $second
  t bpftool -j map push $map $value
  t bpftool -p map enqueue $map $value
  t bpftool map push $map $second
  t bpftool map update $map $second exist
  t bpftool map update $map $value noexist
  for words in peek pop dequeue; do t bpftool map $words $map; done
  for words in peek pop dequeue; do t bpftool -j map $words $map; done
  t bpftool -p map pop $map

  # Mistakes, bpftool's usage left out.
  t bpftool map lookup $map
  t bpftool map lookup $map key
  t bpftool map lookup $map keys 1 0 0 0
  t bpftool map lookup $map key 1
  t bpftool map lookup $map key hex 1g 0 0 0
  t bpftool map lookup $map key one 0 0 0 0 0 0 0
  t bpftool map lookup $map key 256 0 0 0 0 0 0 0
  t bpftool map lookup $map key 1 0 0 0 0 0 0 0 0
  t bpftool map lookup $map $key more
  t bpftool -j map lookup $map key 1
  t bpftool map getnext $map key
  t bpftool map getnext $map key 1
  t bpftool -j map getnext $map nothing
  t bpftool map update $map
  t bpftool map update $map $key
  t bpftool map update $map $value
  t bpftool map update $map key
  t bpftool map update $map $key value
  t bpftool map update $map $key value 1
  t bpftool map update $map $key value 1 2 3 four 5 6 7 8
  t bpftool map update $map $key $value sometimes
  t bpftool map update $map $key $value any exist
  t bpftool map update $map $value $key
  t bpftool map update $map $key $key
  t bpftool map update $map $key $value $value
  t bpftool map update $map $key value pinned
  t bpftool map update $map $key value pinned $fs/unlike
  t bpftool map update $map $key value pinned $fs/echo
  t bpftool map update $map $key value pinned $fs/absent
  t bpftool map update $map $key value id 4294967295
  t bpftool map update $map $key value name t_absent
  t bpftool map update $map $key value tag 0123456789abcdef
  t bpftool -j map update $map $key
  t bpftool map delete $map
  t bpftool map delete $map key
  t bpftool map delete $map $key more
  t bpftool -j map delete $map
  briefly bpftool map dump $map more
  t bpftool map push $map
  t bpftool map push $map value
  t bpftool map push $map value 1
  t bpftool map push $map $value exist
  t bpftool map push $map $key $value
  t bpftool -j map push $map
  t bpftool map enqueue $map
  t bpftool map enqueue $map value x
  t bpftool map peek $map more
  t bpftool map peek $map $key
  t bpftool map peek $map value
  t bpftool map pop $map more
  t bpftool map pop $map $key
  t bpftool map dequeue $map value
  t bpftool map event_pipe $map
  t bpftool map pin $map
  t bpftool map pin $map $fs/$name
  t bpftool map pin $map $fs/a.b
  t bpftool map pin $map /no/such/dir/map
  t bpftool map create $fs/$name type $type $sizes name t_$name
  t bpftool map freeze $map more

  # Another pin, and another way to say which map.
  t bpftool map pin $map $fs/again
  t bpftool -j map pin $map $fs/once_more
  sorted bpftool -f map show $map
  t bpftool map lookup pinned $fs/again $key
  t bpftool map show id $(id_of $fs/again)
  t bpftool map lookup id $(id_of $fs/again) $key
  t bpftool map update name t_$name $key $value
  t rm $fs/again $fs/once_more

  # Taken out again.
  t bpftool map delete $map $key
  t bpftool map delete $map $key
  t bpftool -j map delete $map $other
  t bpftool -j map delete $map $other
  t bpftool map delete $map $absent
  t bpftool map lookup $map $other
  t bpftool map dump $map
  t bpftool map update $map $key $value

  # Frozen.
  t bpftool map freeze $map
  t bpftool map freeze $map
  for option in "" -j -p; do t bpftool $option map show $map; done
  t bpftool map update $map $key $value
  t bpftool -j map update $map $key $value
  t bpftool map delete $map $key
  t bpftool map push $map $value
  t bpftool map pop $map
  t bpftool map peek $map
  t bpftool map lookup $map $key
  t bpftool map getnext $map
  t bpftool map dump $map
  t bpftool map pin $map $fs/again
  t rm $fs/again $fs/$name

  # For one side only: the file descriptor of `create` is; one of a pin is not.
  for option in 0x8 0x10 0x80 0x100; do
    words=$sizes
    [[ $words == *" flags "* ]] && option=$(printf '0x%x' $((option | ${words##* flags }))) && words=${words% flags *}
    t bpftool map create $fs/side type $type $words flags $option name t_side
    [[ -e $fs/side ]] || continue
    t bpftool -j map show pinned $fs/side
    t bpftool map update pinned $fs/side $key $value
    t bpftool map lookup pinned $fs/side $key
    t rm $fs/side
  done
}

section "maps and programs to put into others"
t bpftool map create $fs/inner type array key 4 value 8 entries 2 name t_inner
t bpftool map create $fs/second type array key 4 value 8 entries 2 name t_second
t bpftool map create $fs/unlike type array key 4 value 4 entries 2 name t_unlike
t bpftool prog load xdp_echo.bpf.o $fs/echo
t bpftool prog load xdp_count.bpf.o $fs/count

ints=("key 1 0 0 0" "key 2 0 0 0" "key 9 0 0 0")
values=("value 1 2 3 4 5 6 7 8" "value hex ff fe fd fc 00 0a 0b 0c")
each hash hash "key 4 value 8 entries 16" "${ints[@]}" "${values[@]}"
each percpu_hash percpu_hash "key 4 value 8 entries 16" "${ints[@]}" "${values[@]}"
each array array "key 4 value 8 entries 4" "${ints[@]}" "${values[@]}"
each percpu_array percpu_array "key 4 value 8 entries 4" "${ints[@]}" "${values[@]}"
for type in lru_hash lru_percpu_hash; do
  each $type $type "key 4 value 8 entries 256" "${ints[@]}" "${values[@]}"
  each ${type/hash/own} $type "key 4 value 8 entries 257 flags 2" "${ints[@]}" "${values[@]}"
done
each lpm_trie lpm_trie "key 8 value 8 entries 8 flags 1" "key 24 0 0 0 10 1 2 0" "key 16 0 0 0 10 1 0 0" "key 33 0 0 0 10 1 2 3" "${values[@]}"
each queue queue "key 0 value 8 entries 4" "" "" "" "${values[@]}"
each stack stack "key 0 value 8 entries 4" "" "" "" "${values[@]}"
each bloom_filter bloom_filter "key 0 value 8 entries 16" "" "" "" "${values[@]}"
each ringbuf ringbuf "key 0 value 0 entries 4096" "" "" "" "" ""
each user_ringbuf user_ringbuf "key 0 value 0 entries 4096" "" "" "" "" ""
each stack_trace stack_trace "key 4 value 16 entries 16" "${ints[@]}" \
  "value 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16" "value 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1"
objects=1
each prog_array prog_array "key 4 value 4 entries 4" "${ints[@]}" "value pinned $fs/echo" "value id $(prog_id_of $fs/count)"
each array_of_maps array_of_maps "key 4 value 4 entries 4 inner_map pinned $fs/inner" "${ints[@]}" \
  "value pinned $fs/inner" "value id $(id_of $fs/second)"
each hash_of_maps hash_of_maps "key 4 value 4 entries 4 inner_map name t_second" "${ints[@]}" \
  "value name t_second" "value pinned $fs/inner"
objects=

section "elements of an LPM trie"
trie="pinned $fs/trie"
t bpftool map create $fs/trie type lpm_trie key 8 value 1 entries 6 name t_trie flags 1
for prefix in "0 0 0 0 0 0 0 0" "8 0 0 0 10 0 0 0" "8 0 0 0 10 99 99 99" "16 0 0 0 10 1 255 255" "24 0 0 0 10 1 2 3" \
  "32 0 0 0 10 1 2 3" "17 0 0 0 11 0 127 0"; do
  t bpftool map update $trie key $prefix value ${prefix%% *}
done
t bpftool map update $trie key 1 0 0 0 128 0 0 0 value 1
t bpftool map update $trie key 24 0 0 0 10 1 2 99 value 25 exist
t bpftool map update $trie key 24 0 0 0 10 1 2 99 value 26 noexist
t bpftool map update $trie key 33 0 0 0 10 1 2 3 value 33
t bpftool map update $trie key 0 1 0 0 10 1 2 3 value 34
for address in "10 1 2 3" "10 1 2 4" "10 1 9 9" "10 9 9 9" "11 0 1 1" "11 0 200 1" "200 0 0 1"; do
  t bpftool map lookup $trie key 32 0 0 0 $address
done
t bpftool map lookup $trie key 20 0 0 0 10 1 2 3
t bpftool map lookup $trie key 33 0 0 0 10 1 2 3
t bpftool map dump $trie
t bpftool -j map dump $trie
t bpftool map getnext $trie
for prefix in "32 0 0 0 10 1 2 3" "24 0 0 0 10 1 2 7" "16 0 0 0 10 1 0 0" "0 0 0 0 0 0 0 0" "20 0 0 0 10 1 2 3" "9 0 0 0 200 0 0 0" \
  "33 0 0 0 0 0 0 0"; do
  t bpftool map getnext $trie key $prefix
done
for prefix in "16 0 0 0 10 1 7 7" "20 0 0 0 10 1 2 3" "0 0 0 0 1 2 3 4" "0 0 0 0 1 2 3 4" "33 0 0 0 0 0 0 0"; do
  t bpftool map delete $trie key $prefix
done
t bpftool map dump $trie
t rm $fs/trie

section "walks by getnext"
t bpftool map create $fs/walk type array key 4 value 1 entries 3 name t_walk
for n in 0 1 2 3 255; do t bpftool map getnext pinned $fs/walk key $n 0 0 0; done
t bpftool map getnext pinned $fs/walk key hex ff ff ff ff
t rm $fs/walk

section "sizes that are no multiple of eight, on each CPU"
for type in percpu_hash percpu_array lru_percpu_hash; do
  for size in 1 3 8 11; do
    bytes=$(seq -s " " $size)
    t bpftool map create $fs/odd type $type key 4 value $size entries 64 name t_odd
    t bpftool map update pinned $fs/odd key 1 0 0 0 value $bytes
    t bpftool map update pinned $fs/odd key 1 0 0 0 value $bytes 1
    for option in "" -j; do
      t bpftool $option map lookup pinned $fs/odd key 1 0 0 0
      [[ $type == percpu_array ]] || t bpftool $option map dump pinned $fs/odd
    done
    t rm $fs/odd
  done
done

section "two maps of one name"
for type in hash lru_hash queue; do
  key="key 1 0 0 0"
  [[ $type == queue ]] && key=
  for n in 1 2; do t bpftool map create $fs/$n type $type key $((${#key} ? 4 : 0)) value 4 entries 100 name t_twice; done
  t bpftool map update pinned $fs/1 $key value 1 0 0 0
  for option in "" -j; do
    sorted bpftool $option map show name t_twice
    sorted bpftool $option map dump name t_twice
  done
  for words in "lookup name t_twice $key" "update name t_twice $key value 1 2 3 4" "delete name t_twice $key" "getnext name t_twice" \
    "pop name t_twice" "freeze name t_twice" "pin name t_twice $fs/3"; do
    t bpftool map $words
    t bpftool -j map $words
  done
  t rm $fs/1 $fs/2
done

section "pins that are not of maps"
key="key 1 0 0 0"
for pin in $fs/echo $fs/absent $fs "$E2E_TMP/out" /dev/null; do
  for words in show dump getnext peek pop freeze; do t bpftool map $words pinned $pin; done
  t bpftool map lookup pinned $pin $key
  t bpftool map update pinned $pin $key value 1
  t bpftool map delete pinned $pin $key
  t bpftool map pin pinned $pin $fs/again
  t bpftool -j map show pinned $pin
done

t ls $fs
t rm $fs/inner $fs/second $fs/unlike $fs/echo $fs/count
