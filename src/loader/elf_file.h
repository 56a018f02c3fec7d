// SPDX-License-Identifier: Apache-2.0
// An ELF file for BPF: 64 bits, little-endian, relocatable. Everything in it has been checked against the
// file.
#pragma once
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace portolan::loader {

struct ElfSymbol {
  std::string name;
  std::uint64_t value = 0, size = 0;
  std::uint32_t section = 0;  // 0: undefined, or in none
  std::uint8_t type = 0;      // STT_*
  bool is_global = false;
  bool is_undefined = false;
};

struct ElfRelocation {
  std::uint64_t offset = 0;  // in the section that it changes; not checked against it
  std::uint32_t type = 0;    // R_BPF_*
  std::uint32_t symbol = 0;  // an index of symbols
};

struct ElfSection {
  std::uint32_t index = 0;
  std::string name;
  std::uint32_t type = 0;   // SHT_*
  std::uint64_t flags = 0;  // SHF_*
  ConstBytes bytes;         // empty for SHT_NOBITS; of the file's bytes
  std::vector<ElfRelocation> relocations;

  bool is_code() const;
};

struct ElfFile {
  std::vector<ElfSection> sections;  // by index; the first is the empty one
  std::vector<ElfSymbol> symbols;

  const ElfSection* find(std::string_view name) const;  // the first of that name, or nullptr
};

// EINVAL, and why. `bytes` must outlive what comes back.
Result<ElfFile> read_elf(ConstBytes bytes, std::string* why);

}  // namespace portolan::loader
