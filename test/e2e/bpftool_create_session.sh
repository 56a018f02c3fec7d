#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `bpftool map create`: for each type, every flag and the sizes at the edges of what it takes; what is missing, malformed or unknown.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf
even() { sed -E 's/^[0-9]+: ([a-z])/ID: \1/'; }
t() { transcribe even "$@"; }
# make WORDS…: creates a map named so, tells about it in one line, and takes it away.
make() {
  local status
  printf '%s: ' "$*"
  bpftool map create $fs/made "$@" name t_made > "$E2E_TMP/out" 2> "$E2E_TMP/err"
  status=$?
  [[ -e $fs/made ]] && bpftool map show pinned $fs/made >> "$E2E_TMP/out" && rm $fs/made
  { even < "$E2E_TMP/out"; sed 's/^/! /' "$E2E_TMP/err"; echo "= $status"; } | tr '\n\t' ' '
  echo
}
t bpftool map create $fs/inner type array key 4 value 8 entries 2 name t_inner
inner="inner_map pinned $fs/inner"

# of TYPE KEY VALUE ENTRIES [MORE]: a map of this type has these sizes. Then each of them is changed, and each flag set.
of() {
  local type=$1 key=$2 value=$3 entries=$4 more=${5:-} other flag
  section "$type"
  make type $type key $key value $value entries $entries $more
  for other in 0 1 3 4 5 8 260 261 512 513 65536 4294967295; do
    [[ $other == "$key" ]] || make type $type key $other value $value entries $entries $more
  done
  for other in 0 1 3 4 7 8 12 16 1016 1024 32768 32769 4194304 2147483648 4294967295; do
    [[ $other == "$value" ]] || make type $type key $key value $other entries 1 $more
  done
  for other in 0 1 3 100 4095 4096 8192 12288; do
    [[ $other == "$entries" ]] || make type $type key $key value $value entries $other $more
  done
  [[ $more == *" flags "* || $more == "flags "* ]] && flag=${more##*flags } more=${more%flags *} || flag=0
  for other in 0 0x1 0x2 0x3 0x4 0x8 0x10 0x18 0x20 0x40 0x41 0x42 0x80 0x100 0x180 0x200 0x400 0x480 0x800 0x1000 0x2000 0x4000 0x8000 \
    0x10000 0x20000 0x40000 0x80000 0x100000 0x80000000; do
    make type $type key $key value $value entries $entries $more flags $(printf 0x%x $((other | flag)))
  done
  [[ $flag != 0 ]] && make type $type key $key value $value entries $entries $more flags 0
  # With what only maps of maps have, or without.
  if [[ -n $more ]]; then
    make type $type key $key value $value entries $entries
  else
    make type $type key $key value $value entries $entries $inner $([[ $flag == 0 ]] || echo flags $flag)
  fi
  make type $type key $key value $value entries $entries inner_map pinned $fs/absent
  make type $type key $key value $value entries $entries dev no_such_device
}

of hash 4 8 10
of percpu_hash 4 8 10
of array 4 8 10
of percpu_array 4 8 10
of lru_hash 4 8 10
of lru_percpu_hash 4 8 10
of lpm_trie 8 8 10 "flags 1"
of queue 0 8 10
of stack 0 8 10
of bloom_filter 0 8 10
of ringbuf 0 0 4096
of user_ringbuf 0 0 4096
of stack_trace 4 80 10
of prog_array 4 4 10
of array_of_maps 4 4 10 "$inner"
of hash_of_maps 4 4 10 "$inner"

section "more than any machine has room for"
for type in hash percpu_hash lru_hash lru_percpu_hash; do
  for entries in 2147483649 4294967295; do make type $type key 4 value 8 entries $entries; done
done
make type array key 4 value 1048576 entries 4294967295
make type array key 4 value 2147483647 entries 4294967295
for type in queue stack; do make type $type key 0 value 1048576 entries 4294967295; done
make type stack_trace key 4 value 80 entries 4294967295

each=("hash key 4 value 8 entries 10" "percpu_hash key 4 value 8 entries 10" "array key 4 value 8 entries 10"
  "percpu_array key 4 value 8 entries 10" "lru_hash key 4 value 8 entries 64" "lru_hash key 4 value 8 entries 65 flags 2"
  "lru_percpu_hash key 4 value 8 entries 64" "lru_percpu_hash key 4 value 8 entries 65 flags 2" "lpm_trie key 8 value 8 entries 10 flags 1"
  "queue key 0 value 8 entries 10" "stack key 0 value 8 entries 10" "bloom_filter key 0 value 8 entries 10" "ringbuf key 0 value 0 entries 4096"
  "user_ringbuf key 0 value 0 entries 4096" "stack_trace key 4 value 80 entries 10" "prog_array key 4 value 4 entries 10"
  "array_of_maps key 4 value 4 entries 10 $inner" "hash_of_maps key 4 value 4 entries 10 $inner")

section "inner maps"
for outer in array_of_maps hash_of_maps; do
  for like in "${each[@]}" "array key 4 value 8 entries 10 flags 0x1000" "array key 4 value 8 entries 10 flags 0x400" \
    "array key 4 value 8 entries 10 flags 0x80"; do
    t bpftool map create $fs/like type $like name t_like
    t bpftool map create $fs/outer type $outer key 4 value 4 entries 3 name t_outer inner_map pinned $fs/like
    if [[ -e $fs/outer ]]; then
      t bpftool map show pinned $fs/outer
      t bpftool map update pinned $fs/outer key 1 0 0 0 value pinned $fs/like
      t bpftool map update pinned $fs/outer key 2 0 0 0 value pinned $fs/inner
      # One that is larger.
      t bpftool map create $fs/larger type $(sed 's/entries [0-9]*/entries 8192/' <<< "$like") name t_larger
      t bpftool map update pinned $fs/outer key 0 0 0 0 value pinned $fs/larger
      rm -f $fs/outer $fs/larger
    fi
    rm -f $fs/like
  done
done

section "what bpftool does not know"
for type in unspec cgrp_storage arena insn_array rhash cgroup_storage_deprecated sharded_hash HASH Hash lru lru_has hashes per-cpu_hash \
  1 0x1 "" " hash" -1; do
  t bpftool map create $fs/made type "$type" key 4 value 8 entries 10 name t_made
  t bpftool -j map create $fs/made type "$type" key 4 value 8 entries 10 name t_made
done

section "missing"
for type in hash percpu_hash array percpu_array lru_hash lru_percpu_hash lpm_trie queue stack bloom_filter ringbuf user_ringbuf stack_trace \
  prog_array array_of_maps hash_of_maps; do
  make type $type
  make type $type key 4
  make type $type key 4 value 4 flags 0
  make type $type key 4 entries 4 flags 0
  make type $type value 4 entries 4096 flags 0
  make type $type entries 4096 flags 0 dev
  make type $type key 4 value 4 entries 4 flags
  make type $type key 4 value 4 entries 4 inner_map
  t bpftool map create $fs/made type $type key 4 value 4 entries 4 flags 0
done
t bpftool map create
t bpftool map create $fs/made
t bpftool -j map create $fs/made
t bpftool map create $fs/made key 4 value 4 entries 4 name t_made
for word in type key value entries name flags inner_map dev; do t bpftool map create $fs/made $word; done
t bpftool map create type hash key 4 value 8 entries 10 name t_made
t bpftool map create $fs/made type hash key 4 value 8 entries 10 name t_made flags
t bpftool map create $fs/made type hash key 4 value 8 entries 10 name t_made inner_map
t bpftool map create $fs/made type hash key 4 value 8 entries 10 name t_made inner_map pinned
t bpftool map create $fs/made type hash key 4 value 8 entries 10 name t_made dev

section "malformed"
for number in "" x 4x 4.0 -4 +4 04 0x4 0x 4294967296 18446744073709551616 1e2; do
  for word in key value entries flags; do
    case $word in
      key) words="key $number. value 8 entries 10" ;;
      value) words="key 4 value $number. entries 10" ;;
      entries) words="key 4 value 8 entries $number." ;;
      flags) words="key 4 value 8 entries 10 flags $number." ;;
    esac
    array=()
    for argument in $words; do array+=("${argument%.}"); done
    make type hash "${array[@]}"
  done
done
make type hash key 4 key 4 value 8 entries 10
make type hash key 4 value 8 value 8 entries 10
make type hash key 4 value 8 entries 10 entries 10
make type hash type hash key 4 value 8 entries 10
make type hash key 4 value 8 entries 10 flags 1 flags 1
make type hash key 4 value 8 entries 10 name t_first
make type hash key 4 value 8 entries 10 $inner $inner
make type hash key 4 value 8 entries 10 dev no_such_device dev no_such_device
make type hash key 4 value 8 entries 10 more
make type hash k 4 v 8 e 10
make type hash key 4 value 8 entries 10 f 1
make flags 1 entries 10 value 8 key 4 type hash
for name in a t.dotted t_under 0123456789abcde 0123456789abcdef0123 "t blank" "t-dash" "t/slash" "" ":" "tä"; do
  t bpftool map create $fs/made type lru_hash key 4 value 8 entries 64 name "$name"
  [[ -e $fs/made ]] && bpftool map show pinned $fs/made | even && rm $fs/made
done
# Root may mount, and bpftool would: not with -n.
for file in "" relative /sys/fs/bpf $fs/no/such/folder $fs/a.b $fs/inner /dev/null "$E2E_TMP/out"; do
  t bpftool -n map create "$file" type lpm_trie key 8 value 8 entries 10 flags 1 name t_made
  t bpftool -jn map create "$file" type queue key 0 value 8 entries 10 name t_made
done

section "all at once"
for ((i = 0; i < ${#each[@]}; i++)); do
  t bpftool map create $fs/all_$i type ${each[i]} name t_all_$i
  ((i % 3)) || t bpftool map freeze pinned $fs/all_$i
done
# The first line of each, and the second: the machine may have other maps; and one that has BTF leaves its btf_id to those that
# follow, as bpftool gives the kernel the same buffer for all, and the kernel writes that field for maps with BTF only.
ours() { bpftool "$@" | grep -A1 'name t_all_' | grep -v '^--'; }
ours_json() { bpftool "$@" | grep -o '{[^{}]*"name":"t_all_[^{}]*}' | sed 's/,"btf_id":[0-9]*//'; }
t ours map show
t ours_json -j map list
t ours_json -jf map show
t rm -r $(seq -f $fs/all_%.0f 0 $((${#each[@]} - 1)))
t ls $fs
t rm $fs/inner
