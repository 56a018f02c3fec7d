// SPDX-License-Identifier: Apache-2.0
// Objects whose maps are described by BTF, by libbpf as it is: a private copy of it, whose bpf(2) calls and
// closing of fds come to a System.
#pragma once
#include "base/bytes.h"
#include "loader/legacy.h"

namespace portolan::loader {

// As load_legacy(): the fds are the caller's, *why is what libbpf and the verifier say. Thread-safe.
Result<Loaded> load_with_libbpf(System& system, ConstBytes bytes, const LoadOptions& options,
                                std::string* why);

}  // namespace portolan::loader
