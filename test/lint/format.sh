#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails on the first lines that clang-format would change.
set -euo pipefail
if ! command -v clang-format-19 >/dev/null; then
  echo "no clang-format-19 here (./dev setup installs it)"
  exit 77
fi
"$(dirname "${BASH_SOURCE[0]}")/sources.sh" | xargs -P "$(nproc)" -n 20 clang-format-19 --dry-run -Werror --ferror-limit=1
