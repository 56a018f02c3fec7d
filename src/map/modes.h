// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "abi/map_flags.h"
#include "ds/insert.h"

namespace portolan::map {

// What BPF_ANY, BPF_NOEXIST or BPF_EXIST among `flags` ask for.
inline ds::Insert insert_mode(std::uint64_t flags) {
  return (flags & abi::element_flag::kNoExist) != 0 ? ds::Insert::kNoExist
         : (flags & abi::element_flag::kExist) != 0 ? ds::Insert::kExist
                                                    : ds::Insert::kAny;
}

}  // namespace portolan::map
