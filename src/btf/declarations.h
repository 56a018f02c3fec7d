// SPDX-License-Identifier: Apache-2.0
// BTF from declarations in C, as headers have them: of structs, unions, enums, integers, pointers, arrays,
// bit-fields, typedefs and functions. A function with __bpf_kfunc before it is tagged as such. What is named
// only, and declared nowhere, becomes a forward declaration.
#pragma once
#include <string_view>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

// `text` must be right: it is the programmer's. All of its types, in their order but for those that others
// need before; the same ids each time.
std::vector<std::byte> types_declared(std::string_view text);

// The types of `base`, and behind them those of `text` of which there is no type of that kind and name there.
// Those refer to the types of `base` where it has them.
std::vector<std::byte> types_completed(const Btf& base, std::string_view text);

}  // namespace portolan::btf
