#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check.sh PROGRAM PAGE: the page is what the program prints.
set -euo pipefail
diff -u "$2" <("$1") || {
  echo "COMPAT.md does not say what the tables say: ./dev fmt rewrites it"
  exit 1
}
