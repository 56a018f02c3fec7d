#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A tour of eBPF maps with unmodified clients and no privileges: portolan run -- bash examples/tour.sh [FOLDER]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${PORTOLAN_EXAMPLES:-$here/../build/release/examples}
folder=${1:-/usr/share}
bpffs=/sys/fs/bpf/tour
PATH=$PATH:/usr/sbin

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

say "who runs this: $(id -un), and bpftool is the distribution's: $(bpftool version | head -n 1)"

say "bpftool creates, updates, looks up, dumps and freezes an array"
show mkdir "$bpffs"
show bpftool map create "$bpffs/verdicts" type array key 4 value 8 entries 4 name verdicts
show bpftool map update pinned "$bpffs/verdicts" key 2 0 0 0 value 40 0 0 0 0 0 0 0
show bpftool map lookup pinned "$bpffs/verdicts" key 2 0 0 0
show bpftool map freeze pinned "$bpffs/verdicts"
if refusal=$(bpftool map update pinned "$bpffs/verdicts" key 2 0 0 0 value 41 0 0 0 0 0 0 0 2>&1); then
  echo "a frozen map took an update" >&2
  exit 1
fi
echo "an update of the frozen map is refused: $refusal"
show bpftool map dump pinned "$bpffs/verdicts"

say "an independent count of $folder"
read -r want_files want_bytes < <(find "$folder" -type f -printf '%s\n' | awk '{ n++; s += $1 } END { printf "%d %d\n", n, s }')
echo "find and awk:   $want_files files, $want_bytes bytes"

say "bpftool pins a hash; a libbpf program in another process fills it by batches and walks it"
entries=$((want_files < 1 ? 1 : want_files))
show bpftool map create "$bpffs/files" type hash key 8 value 8 entries "$entries" name files
filled=$("$programs/census_fill" "$bpffs/files" "$bpffs/extensions" "$folder")
echo "$filled"
show bpftool map show

say "bpftool, a third process, sees the same bytes, with their BTF types"
dump=$(bpftool map dump pinned "$bpffs/extensions")
head -n 9 <<<"$dump"
echo "…"
dumped=$(awk '$1 == "\"files\":" { sub(",", "", $2); n += $2 } $1 == "\"bytes\":" { sub(",", "", $2); s += $2 }
              END { printf "%d files, %d bytes", n, s }' <<<"$dump")
echo "bpftool's dump: $dumped"

say "the same census in one C++ process, on the typed API"
typed=$("$programs/census" "$folder")
echo "$typed"

say "totals"
want="$want_files files, $want_bytes bytes"
agree() { # $1 says what spoke, $2 what it said
  grep -qF "files map:      $want" <<<"$2" && grep -qF "extensions map: $want" <<<"$2" && return
  echo "$1 does not agree with find ($want): $2" >&2
  exit 1
}
agree "the libbpf program" "$filled"
agree "the C++ program" "$typed"
[[ $dumped == "$want" ]] || { echo "bpftool's dump does not agree with find ($want): $dumped" >&2; exit 1; }
echo "find, the libbpf program's two maps, bpftool's dump and the C++ program's two maps agree: $want"

say "an XDP program, loaded by a libbpf program that knows nothing of all this, counts the packets of a capture"
capture=$here/flow_counter/traffic.pcap
counted=$(show "$programs/flow_counter" --pcap "$capture" --top 1000 --pin "$bpffs/flows")
head -n 9 <<<"$counted"
echo "…"
tail -n 1 <<<"$counted"

say "bpftool, another process, prints the flows that are left pinned, with their BTF types"
dump=$(bpftool map dump pinned "$bpffs/flows/flows")
head -n 16 <<<"$dump"
echo "…"
dumped=$(awk '$1 == "\"packets\":" { sub(",", "", $2); n += $2 } $1 == "\"bytes\":" { s += $2 } END { printf "%d packets, %d bytes", n, s }' <<<"$dump")
echo "bpftool's dump: $dumped"

say "the same capture, counted without eBPF"
want=$("$here/flow_counter/count_flows.py" "$capture")
head -n 4 <<<"$want"
echo "…"
if [[ $(head -n -1 <<<"${counted#*$'\n'}") != "$want" ]]; then
  echo "flow_counter does not agree with count_flows.py:" >&2
  diff <(head -n -1 <<<"${counted#*$'\n'}") - <<<"$want" >&2
  exit 1
fi
[[ $(sed -n 2p <<<"$want") == *"$dumped" ]] || { echo "bpftool's dump does not agree: $dumped" >&2; exit 1; }
echo "flow_counter's map, bpftool's dump of it and count_flows.py agree, flow by flow"

show rm -r "$bpffs"
