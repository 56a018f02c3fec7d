# SPDX-License-Identifier: Apache-2.0
# Sourced by sessions. t COMMAND…: runs it; prints the command, its output, its errors (after "! ") and its exit status.
export LC_ALL=C
E2E_TMP=${E2E_TMP:-$(mktemp -d)}
t() { transcribe cat "$@"; }
# The same where the order of lines is the hash's own affair.
sorted() { transcribe elements_sorted "$@"; }
elements_sorted() { sed -E 's/\},\{"key"/},\n{"key"/g; s/^\[\{"key"/[\n{"key"/' | sed -E 's/,$//; s/\}\]$/}/' | sort; }
transcribe() {
  local show=$1 status
  shift
  printf '$ %s\n' "$*"
  "$@" > "$E2E_TMP/out" 2> "$E2E_TMP/err"
  status=$?
  "$show" < "$E2E_TMP/out"
  [[ -s $E2E_TMP/out && $(tail -c 1 "$E2E_TMP/out" | od -An -tx1) != " 0a" ]] && echo "(no newline)"
  sed 's/^/! /' "$E2E_TMP/err"
  printf '= %d\n' "$status"
}
section() { printf '\n### %s\n' "$*"; }
