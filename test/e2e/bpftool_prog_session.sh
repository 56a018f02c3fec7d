#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What people do with bpftool and programs, and what they get wrong. OBJECTS: the folder of the compiled programs.
. "$(dirname "$0")/transcript.sh"
fs=/sys/fs/bpf objects=$1
cp "$objects"/{xdp_echo,xdp_vlan,xdp_count,xdp_blocklist,for_each,global_functions,syscall_context,tc_mark,configuration}.bpf.o "$E2E_TMP"
cd "$E2E_TMP" || exit 1
# When it was loaded, by whom, and what its code and its memory cost; lookups are inlined by the kernel, so lengths are its own.
shown() { "$@" | sed -E -e 's/loaded_at [^ ]+  uid [0-9]+/loaded_at TIME  uid UID/' -e 's/"loaded_at":[0-9]+,"uid":[0-9]+/TIME/' \
  -e 's/xlated [0-9]+B  (not jited|jited [0-9]+B)/xlated N  CODE/' -e 's/"bytes_xlated":[0-9]+,"jited":(true,"bytes_jited":[0-9]+|false)/CODE/' \
  -e 's/^[0-9]+: (xdp|sched_cls|syscall|socket_filter)/ID: \1/' -e 's/^\tpids.*//' -e 's/,"pids":\[[^]]*\]//' -e '/^$/d'; }
# Where a helper lies is an address; what the kernel calls a function that it has picked by the type of the map is its own.
code() { "$@" | sed -E -e 's/call ([a-z0-9_]+)#-?[0-9]+/call \1#ADDRESS/' -e 's/#(0x[0-9a-f]+|bpf_prog_[0-9a-f]+_[A-Za-z0-9_]+)$//' \
  -e 's/^(\s+85 .. 00 00 ).. .. .. ..$/\1ADDRESS/' -e 's/map\[id:[0-9]+\]/map[id:ID]/' \
  -e 's/^(\s+18 [12]. 00 00 ).. .. .. ..( 00 00 00 00 .. .. .. ..)$/\1ID\2/'; }
timeless() { "$@" | sed -E -e 's/duration( \(average\))?: [0-9]+ns/duration\1: N/' -e 's/"duration": ?[0-9]+/"duration":N/'; }

section load
t bpftool prog load xdp_echo.bpf.o $fs/echo
t bpftool prog load xdp_echo.bpf.o $fs/echo
t bpftool prog load xdp_count.bpf.o $fs/count
t bpftool prog load xdp_echo.bpf.o $fs/as_xdp type xdp
t bpftool prog load absent.o $fs/absent
echo "no object" > script.o
t bpftool prog load script.o $fs/script
t bpftool prog loadall xdp_vlan.bpf.o $fs/vlan
t bpftool prog loadall for_each.bpf.o $fs/each pinmaps $fs/each_maps
t bpftool prog loadall global_functions.bpf.o $fs/functions pinmaps $fs/functions_maps
t bpftool prog loadall configuration.bpf.o $fs/configuration pinmaps $fs/configuration_maps
t bpftool prog loadall tc_mark.bpf.o $fs/mark
t bpftool prog loadall syscall_context.bpf.o $fs/context
t ls $fs $fs/vlan $fs/each $fs/each_maps $fs/functions $fs/functions_maps $fs/configuration_maps
id=$(bpftool map show pinned $fs/each_maps/squares | sed 's/:.*//')
t bpftool prog load for_each.bpf.o $fs/shared map name squares pinned $fs/each_maps/squares
[[ $(bpftool -j prog show pinned $fs/shared) == *"$id"* ]] && echo shared

section show
for pin in echo count vlan/pop_vlan vlan/push_vlan each/walk functions/call_them mark/mark context/calculate; do
  t shown bpftool prog show pinned $fs/$pin
  t shown bpftool -j prog show pinned $fs/$pin
done
t shown bpftool -f prog show pinned $fs/echo
t shown bpftool prog show name pop_vlan
t shown bpftool prog show name absent
t shown bpftool prog show id 4294967295
t shown bpftool prog show pinned $fs/each_maps/squares
t shown bpftool prog show tag 0123456789abcdef
ours() { bpftool "$@" | grep -A3 -E 'name (pop_vlan|push_vlan) ' | grep -vE '^--|pids'; }
t shown ours prog show

section dump
for pin in echo vlan/pop_vlan vlan/push_vlan context/calculate functions/call_them; do
  for options in "" opcodes linum; do
    t code bpftool prog dump xlated pinned $fs/$pin $options
  done
done
t code bpftool -j prog dump xlated pinned $fs/vlan/pop_vlan
t code bpftool prog dump xlated pinned $fs/vlan/pop_vlan visual
t bpftool prog dump xlated pinned $fs/vlan/pop_vlan file code.bin
t od -An -tx1 -N 40 code.bin
t bpftool prog dump xlated pinned $fs/absent

section run
head -c 64 /dev/zero > zeros
printf '\x01\x02\x03\x04\x05\x06\x11\x12\x13\x14\x15\x16\x81\x00\x00\x2a\x08\x00' > tagged
head -c 50 /dev/zero >> tagged
t timeless bpftool prog run pinned $fs/echo data_in zeros
t timeless bpftool prog run pinned $fs/vlan/pop_vlan data_in tagged data_out -
t timeless bpftool prog run pinned $fs/vlan/pop_vlan data_in tagged data_out out data_size_out 100
t od -An -tx1 out
t timeless bpftool -j prog run pinned $fs/vlan/push_vlan data_in tagged data_out out repeat 7
t timeless bpftool -p prog run pinned $fs/vlan/pop_vlan data_in tagged data_out -
head -c 120 /dev/zero | tr '\0' '\3' > arguments
t timeless bpftool prog run pinned $fs/context/calculate ctx_in arguments
t timeless bpftool prog run pinned $fs/context/calculate ctx_in arguments ctx_out out
t timeless bpftool prog run pinned $fs/context/calculate ctx_in zeros
head -c 192 /dev/zero > skb
t timeless bpftool prog run pinned $fs/mark/mark data_in zeros ctx_in skb ctx_out - repeat 3
t timeless bpftool prog run pinned $fs/mark/mark data_in zeros ctx_in skb ctx_out - ctx_size_out 60
t timeless bpftool prog run pinned $fs/mark/mark
t timeless bpftool prog run pinned $fs/echo data_in absent
printf 123 > short
t timeless bpftool prog run pinned $fs/echo data_in short
t timeless bpftool prog run pinned $fs/each_maps/squares data_in zeros
for _ in 1 2 3; do t timeless bpftool prog run pinned $fs/configuration/sample data_in zeros; done

section global data
for map in configuration.rodata configuration.data configuration.bss settings; do
  t bpftool map dump name ${map:0:15}
  t bpftool -j map dump name ${map:0:15}
done
t bpftool map show name settings
t bpftool map update pinned $fs/configuration_maps/settings key 0 0 0 0 value 2 0 0 0 3 0 0 0
for _ in 1 2; do t timeless bpftool prog run pinned $fs/configuration/sample data_in zeros; done
t bpftool map dump pinned $fs/configuration_maps/configuration_bss

section generated
t bpftool gen skeleton xdp_blocklist.bpf.o name blocklist
t bpftool gen object linked.o xdp_vlan.bpf.o xdp_echo.bpf.o
t bpftool btf dump file xdp_blocklist.bpf.o
t bpftool btf dump file xdp_blocklist.bpf.o format c
t bpftool btf dump prog pinned $fs/count
t bpftool btf dump map pinned $fs/configuration_maps/settings value

section pins
t bpftool prog pin pinned $fs/echo $fs/echo2
t bpftool prog pin pinned $fs/echo $fs/echo2
t rm $fs/echo $fs/echo2
t shown bpftool prog show pinned $fs/echo2
t shown bpftool prog show name echo
