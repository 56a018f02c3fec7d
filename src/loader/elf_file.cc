// SPDX-License-Identifier: Apache-2.0
#include "loader/elf_file.h"

#include <fmt/format.h>
#include <gelf.h>

#include <cstring>
#include <memory>

namespace portolan::loader {
namespace {

constexpr std::uint16_t kMachineBpf = 247;  // EM_BPF
constexpr std::size_t kMostSections = 0xff00, kMostSymbols = 1 << 20, kMostRelocations = 1 << 20;

template <class... Args>
std::unexpected<Errno> say(std::string* why, fmt::format_string<Args...> format, Args&&... args) {
  *why = fmt::format(format, std::forward<Args>(args)...);
  return fail(EINVAL);
}

struct End {
  void operator()(Elf* elf) const { elf_end(elf); }
};

class Reader {
 public:
  Reader(ConstBytes bytes, std::string* why) : bytes_(bytes), why_(why) {}

  Result<ElfFile> read() {
    TRY(check_header());
    // libelf wants to be able to write, and does not.
    elf_.reset(elf_memory(const_cast<char*>(reinterpret_cast<const char*>(bytes_.data())), bytes_.size()));
    if (elf_ == nullptr || elf_kind(elf_.get()) != ELF_K_ELF)
      return say(why_, "not an ELF file: {}", elf_errmsg(-1));
    TRY(read_sections());
    TRY(read_symbols());
    TRY(read_relocations());
    return std::move(file_);
  }

 private:
  Result<void> check_header() {
    if (bytes_.size() < SELFMAG || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0)
      return say(why_, "not an ELF file: it does not begin with \"\\x7f\" \"ELF\"");
    if (bytes_.size() < sizeof(Elf64_Ehdr))
      return say(why_, "truncated: {} bytes, less than an ELF header", bytes_.size());
    Elf64_Ehdr header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64) return say(why_, "not a 64-bit ELF file, as BPF objects are");
    if (header.e_ident[EI_DATA] != ELFDATA2LSB)
      return say(why_, "not little-endian (compile with -target bpf or bpfel)");
    if (header.e_machine != kMachineBpf)
      return say(why_, "for machine {}, not for BPF (compile with -target bpf)", header.e_machine);
    if (header.e_type != ET_REL) return say(why_, "not a relocatable object (ELF type {})", header.e_type);
    if (header.e_shoff == 0 || header.e_shnum == 0) return say(why_, "no section header table");
    if (header.e_shentsize != sizeof(Elf64_Shdr))
      return say(why_, "section headers of {} bytes instead of {}", header.e_shentsize, sizeof(Elf64_Shdr));
    if (header.e_shoff > bytes_.size() ||
        std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr) > bytes_.size() - header.e_shoff)
      return say(why_, "truncated: the section header table lies beyond the end of the file");
    if (header.e_shstrndx >= header.e_shnum)
      return say(why_, "the section of section names ({}) does not exist", header.e_shstrndx);
    return {};
  }

  Result<void> read_sections() {
    std::size_t count = 0, names = 0;
    if (elf_getshdrnum(elf_.get(), &count) != 0 || elf_getshdrstrndx(elf_.get(), &names) != 0 ||
        count > kMostSections)
      return say(why_, "no readable section header table: {}", elf_errmsg(-1));
    file_.sections.resize(count);
    for (std::size_t i = 1; i < count; ++i) {
      GElf_Shdr header;
      Elf_Scn* const section = elf_getscn(elf_.get(), i);
      if (section == nullptr || gelf_getshdr(section, &header) == nullptr)
        return say(why_, "section {} has no readable header: {}", i, elf_errmsg(-1));
      const char* const name = elf_strptr(elf_.get(), names, header.sh_name);
      if (name == nullptr) return say(why_, "section {} has no name", i);
      ElfSection& made = file_.sections[i];
      made.index = static_cast<std::uint32_t>(i);
      made.name = name;
      made.type = header.sh_type;
      made.flags = header.sh_flags;
      if (header.sh_type == SHT_NOBITS || header.sh_type == SHT_NULL) continue;
      if (header.sh_offset > bytes_.size() || header.sh_size > bytes_.size() - header.sh_offset)
        return say(why_, "section \"{}\" lies beyond the end of the file", made.name);
      made.bytes = bytes_.subspan(header.sh_offset, header.sh_size);
    }
    return {};
  }

  Result<void> read_symbols() {
    for (std::size_t i = 1; i < file_.sections.size(); ++i) {
      if (file_.sections[i].type != SHT_SYMTAB) continue;
      if (symbols_ != 0) return say(why_, "section \"{}\" is a second symbol table", file_.sections[i].name);
      symbols_ = i;
      GElf_Shdr header;
      if (gelf_getshdr(elf_getscn(elf_.get(), i), &header) == nullptr) return fail(EINVAL);
      TRY(read_symbol_table(file_.sections[i], header.sh_link));
    }
    if (symbols_ == 0) return say(why_, "no symbol table (was the object stripped?)");
    return {};
  }

  Result<void> read_symbol_table(const ElfSection& table, std::size_t strings) {
    if (table.bytes.size() % sizeof(Elf64_Sym) != 0 || table.bytes.size() / sizeof(Elf64_Sym) > kMostSymbols)
      return say(why_, "section \"{}\" is no table of whole symbols", table.name);
    for (std::size_t at = 0; at < table.bytes.size(); at += sizeof(Elf64_Sym)) {
      Elf64_Sym raw;
      std::memcpy(&raw, table.bytes.data() + at, sizeof raw);
      const char* const name = elf_strptr(elf_.get(), strings, raw.st_name);
      const std::size_t number = at / sizeof(Elf64_Sym);
      if (name == nullptr) return say(why_, "section \"{}\", symbol {}: it has no name", table.name, number);
      ElfSymbol symbol{name,
                       raw.st_value,
                       raw.st_size,
                       0,
                       static_cast<std::uint8_t>(ELF64_ST_TYPE(raw.st_info)),
                       ELF64_ST_BIND(raw.st_info) != STB_LOCAL,
                       raw.st_shndx == SHN_UNDEF};
      if (raw.st_shndx < SHN_LORESERVE) {
        if (raw.st_shndx >= file_.sections.size())
          return say(why_, "section \"{}\", symbol \"{}\": it is in section {}, which does not exist",
                     table.name, name, raw.st_shndx);
        symbol.section = raw.st_shndx;
      }
      file_.symbols.push_back(std::move(symbol));
    }
    return {};
  }

  Result<void> read_relocations() {
    for (std::size_t i = 1; i < file_.sections.size(); ++i) {
      const ElfSection& table = file_.sections[i];
      if (table.type != SHT_REL && table.type != SHT_RELA) continue;
      GElf_Shdr header;
      if (gelf_getshdr(elf_getscn(elf_.get(), i), &header) == nullptr) return fail(EINVAL);
      if (header.sh_info == 0 || header.sh_info >= file_.sections.size())
        return say(why_, "section \"{}\" relocates section {}, which does not exist", table.name,
                   header.sh_info);
      if (header.sh_link != symbols_)
        return say(why_, "section \"{}\" refers to section {}, which is no symbol table", table.name,
                   header.sh_link);
      ElfSection& target = file_.sections[header.sh_info];
      if (table.type == SHT_RELA && target.is_code())
        return say(why_, "section \"{}\": relocations with addends are not BPF's", table.name);
      if (table.type == SHT_REL) TRY(read_relocation_table(table, target));
    }
    return {};
  }

  Result<void> read_relocation_table(const ElfSection& table, ElfSection& target) {
    if (table.bytes.size() % sizeof(Elf64_Rel) != 0 ||
        table.bytes.size() / sizeof(Elf64_Rel) > kMostRelocations)
      return say(why_, "section \"{}\" is no table of whole relocations", table.name);
    for (std::size_t at = 0; at < table.bytes.size(); at += sizeof(Elf64_Rel)) {
      Elf64_Rel raw;
      std::memcpy(&raw, table.bytes.data() + at, sizeof raw);
      const ElfRelocation made{raw.r_offset, static_cast<std::uint32_t>(ELF64_R_TYPE(raw.r_info)),
                               static_cast<std::uint32_t>(ELF64_R_SYM(raw.r_info))};
      if (made.symbol >= file_.symbols.size())
        return say(why_, "section \"{}\", relocation {}: there is no symbol {}", table.name,
                   at / sizeof(Elf64_Rel), made.symbol);
      target.relocations.push_back(made);
    }
    return {};
  }

  ConstBytes bytes_;
  std::string* why_;
  std::unique_ptr<Elf, End> elf_;
  std::size_t symbols_ = 0;  // the section
  ElfFile file_;
};

}  // namespace

bool ElfSection::is_code() const { return type == SHT_PROGBITS && (flags & SHF_EXECINSTR) != 0; }

const ElfSection* ElfFile::find(std::string_view name) const {
  for (const ElfSection& section : sections)
    if (section.index != 0 && section.name == name) return &section;
  return nullptr;
}

Result<ElfFile> read_elf(ConstBytes bytes, std::string* why) {
  elf_version(EV_CURRENT);
  return Reader(bytes, why).read();
}

}  // namespace portolan::loader
