// SPDX-License-Identifier: Apache-2.0
// libbpf's header, with the names that its functions have in our private copy: an application may have a
// libbpf of its own.
#pragma once
#include "libbpf_names.h"  // made from libbpf_names.txt

#include <bpf/libbpf.h>
