// SPDX-License-Identifier: Apache-2.0
// What is written before a value: ".member = (struct name *)[" and the like.
#pragma once
#include <string>

#include "btf/btf.h"

namespace portolan::btf {

// Of `member`, or of the type `id` if that is nullptr. `brackets_only`: but for the opening bracket.
std::string shown_type_name(const Btf& btf, const abi::btf::Member* member, std::uint32_t id,
                            bool brackets_only);

}  // namespace portolan::btf
