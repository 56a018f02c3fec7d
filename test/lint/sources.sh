#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The C and C++ files that clang-format formats. Run it in the top folder.
set -euo pipefail
find bench examples fuzz include src test tools -type f \( -name '*.cc' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' \) 2>/dev/null | sort
