// SPDX-License-Identifier: Apache-2.0
// Values by their types, as the kernel shows them (bpf_snprintf_btf, `cat` of a pinned map).
#pragma once
#include <cstdint>
#include <string>

#include "btf/btf.h"

namespace portolan::btf {

// How `cat` of a pinned map shows keys and values.
inline constexpr std::uint64_t kPinnedMapFlags =
    abi::btf::show_flag::kCompact | abi::btf::show_flag::kNoname | abi::btf::show_flag::kZero;

// Appends to `out`. `flags`: abi::btf::show_flag. What the type would read beyond `value` counts as zeros.
// Pointers are shown as they are, where the kernel shows a hash of them unless asked not to.
// EINVAL: no such type. E2BIG: too deep or too long to be shown; `out` has the beginning.
Result<void> print_value(const Btf& btf, std::uint32_t type_id, ConstBytes value, std::uint64_t flags,
                         std::string& out);

}  // namespace portolan::btf
