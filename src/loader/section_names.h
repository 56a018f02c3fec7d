// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

#include "abi/prog_type.h"

namespace portolan::loader {

struct ProgramKind {
  abi::ProgType type;
  std::uint32_t expected_attach_type = 0;
};
// What the name of a section says that its programs are; nothing: no such name.
std::optional<ProgramKind> kind_of_section(std::string_view name);

}  // namespace portolan::loader
