#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random bpf(2) calls and mappings by way of libc: every operation, with what came of it.
for type in all array; do
  conformance --backend libc --transcript --type $type --seeds 0..2 --ops 4000
done
