// SPDX-License-Identifier: Apache-2.0
#include "jit/symbols.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>

namespace portolan::jit {
namespace {

struct CodeEntry {
  CodeEntry *next, *previous;
  const char* file;
  std::uint64_t bytes;
};
struct Descriptor {
  std::uint32_t version, action;
  CodeEntry *relevant, *first;
};
extern "C" Descriptor __jit_debug_descriptor;

template <class T>
T read(const CodeEntry& entry, std::uint64_t offset) {
  T value;
  EXPECT_LE(offset + sizeof value, entry.bytes);
  std::memcpy(&value, entry.file + offset, sizeof value);
  return value;
}

// What a reader of the file takes for functions: name -> where it begins and how long it is.
std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> functions_in(const CodeEntry& entry) {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> found;
  const auto header = read<Elf64_Ehdr>(entry, 0);
  EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto section = read<Elf64_Shdr>(entry, header.e_shoff + i * sizeof(Elf64_Shdr));
    if (section.sh_type != SHT_SYMTAB) continue;
    const auto names = read<Elf64_Shdr>(entry, header.e_shoff + section.sh_link * sizeof(Elf64_Shdr));
    for (std::uint64_t at = 0; at < section.sh_size; at += section.sh_entsize) {
      const auto symbol = read<Elf64_Sym>(entry, section.sh_offset + at);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
      const auto text = read<Elf64_Shdr>(entry, header.e_shoff + symbol.st_shndx * sizeof(Elf64_Shdr));
      EXPECT_GE(symbol.st_value, text.sh_addr);
      EXPECT_LE(symbol.st_value + symbol.st_size, text.sh_addr + text.sh_size);
      found[entry.file + names.sh_offset + symbol.st_name] = {symbol.st_value, symbol.st_size};
    }
  }
  return found;
}

TEST(Symbols, a_debugger_finds_the_functions_as_long_as_they_are_there) {
  const std::array<std::uint8_t, 48> code = {};
  const std::array<Symbol, 2> of_one = {Symbol{"bpf_prog_count", std::span(code).first(16)},
                                        {"bpf_prog_step", std::span(code).subspan(16, 32)}};
  const std::array<Symbol, 1> of_other = {Symbol{"bpf_prog_other", code}};
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(code.data());
  CodeEntry* const before = __jit_debug_descriptor.first;
  {
    const auto one = DebuggerSymbols::create(of_one);
    const CodeEntry* const entry = __jit_debug_descriptor.first;
    EXPECT_EQ(__jit_debug_descriptor.relevant, entry);
    const auto functions = functions_in(*entry);
    EXPECT_EQ(functions.size(), 2u);
    EXPECT_EQ(functions.at("bpf_prog_count"), std::pair(at, std::uint64_t{16}));
    EXPECT_EQ(functions.at("bpf_prog_step"), std::pair(at + 16, std::uint64_t{32}));
    const auto other = DebuggerSymbols::create(of_other);
    EXPECT_EQ(functions_in(*__jit_debug_descriptor.first).count("bpf_prog_other"), 1u);
    EXPECT_EQ(__jit_debug_descriptor.first->next, entry);
  }
  EXPECT_EQ(__jit_debug_descriptor.first, before);
}

}  // namespace
}  // namespace portolan::jit
