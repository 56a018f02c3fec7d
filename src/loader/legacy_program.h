// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "loader/elf_file.h"
#include "loader/legacy.h"

namespace portolan::loader {

// A map's definition in the section "maps".
struct MapAt {
  std::uint64_t offset;
  std::string name;
};

// The programs of all sections, with the functions that they call behind them. `maps` nullptr: there is no
// section of maps. EINVAL; *why names section and symbol.
Result<std::vector<LegacyProgram>> read_programs(const ElfFile& elf, const ElfSection* maps,
                                                 const std::vector<MapAt>& places, std::string* why);

}  // namespace portolan::loader
