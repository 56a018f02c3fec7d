// SPDX-License-Identifier: Apache-2.0
#include "jit/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <iterator>
#include <mutex>

#include "base/unique_fd.h"

// What GDB's manual lays down in "JIT Compilation Interface", names included.
extern "C" {
struct jit_code_entry {
  jit_code_entry *next, *previous;
  const char* file;
  std::uint64_t bytes;
};
struct jit_descriptor {
  std::uint32_t version, action;
  jit_code_entry *relevant, *first;
};
// Weak: another compiler in the same program may have them too.
extern jit_descriptor __jit_debug_descriptor;
[[gnu::weak]] jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
// GDB stops here, and reads the descriptor.
void __jit_debug_register_code();
[[gnu::weak, gnu::noinline]] void __jit_debug_register_code() { asm volatile("" ::: "memory"); }
}

namespace portolan::jit {
namespace {

enum : std::uint32_t { kRegister = 1, kUnregister = 2 };  // jit_actions_t

enum Section : std::uint16_t { kNone, kText, kSymbols, kNames, kSections };

std::mutex& list_mutex() {
  static std::mutex mutex;
  return mutex;
}

void tell_debugger(jit_code_entry& entry, std::uint32_t action) {
  __jit_debug_descriptor.relevant = &entry;
  __jit_debug_descriptor.action = action;
  __jit_debug_register_code();
}

class Names {
 public:
  std::uint32_t add(std::string_view name) {
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(name).push_back('\0');
    return at;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_ = std::string(1, '\0');
};

std::uint64_t address_of(const Symbol& symbol) {
  return reinterpret_cast<std::uintptr_t>(symbol.code.data());
}

// An executable of x86-64 without its code: that is in memory already.
std::vector<char> elf_file(std::span<const Symbol> symbols) {
  Names names;
  std::vector<Elf64_Sym> table(1);
  for (const Symbol& one : symbols)
    table.push_back({.st_name = names.add(one.name),
                     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                     .st_other = 0,
                     .st_shndx = kText,
                     .st_value = address_of(one),
                     .st_size = one.code.size()});
  Elf64_Shdr sections[kSections] = {};
  for (auto [section, name] : {std::pair{kText, ".text"}, {kSymbols, ".symtab"}, {kNames, ".strtab"}})
    sections[section].sh_name = names.add(name);

  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_shoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = kSections;
  header.e_shstrndx = kNames;

  Elf64_Shdr& text = sections[kText];
  text.sh_type = SHT_NOBITS;
  text.sh_flags = SHF_ALLOC | SHF_EXECINSTR;
  text.sh_addr = address_of(symbols.front());
  text.sh_size = address_of(symbols.back()) + symbols.back().code.size() - text.sh_addr;
  text.sh_addralign = 16;
  Elf64_Shdr& listed = sections[kSymbols];
  listed.sh_type = SHT_SYMTAB;
  listed.sh_offset = sizeof header + sizeof sections;
  listed.sh_size = table.size() * sizeof table[0];
  listed.sh_link = kNames;
  listed.sh_info = 1;  // the first that is not local
  listed.sh_addralign = 8;
  listed.sh_entsize = sizeof table[0];
  Elf64_Shdr& strings = sections[kNames];
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = listed.sh_offset + listed.sh_size;
  strings.sh_size = names.bytes().size();
  strings.sh_addralign = 1;

  std::vector<char> file;
  const auto append = [&file](const void* bytes, std::size_t size) {
    const char* const from = static_cast<const char*>(bytes);
    file.insert(file.end(), from, from + size);
  };
  append(&header, sizeof header);
  append(sections, sizeof sections);
  append(table.data(), listed.sh_size);
  append(names.bytes().data(), strings.sh_size);
  return file;
}

}  // namespace

void tell_perf(std::span<const Symbol> symbols) {
  std::string lines;
  for (const Symbol& one : symbols)
    fmt::format_to(std::back_inserter(lines), "{:x} {:x} {}\n", address_of(one), one.code.size(), one.name);
  const std::string path = fmt::format("/tmp/perf-{}.map", ::getpid());
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd file(::open(path.c_str(), kFlags, 0600));
  if (file.get() >= 0) (void)!::write(file.get(), lines.data(), lines.size());
}

struct DebuggerSymbols::Entry : jit_code_entry {
  std::vector<char> bytes_of_file;
};

DebuggerSymbols::DebuggerSymbols(std::vector<char> bytes) : entry_(std::make_unique<Entry>()) {
  entry_->bytes_of_file = std::move(bytes);
  entry_->file = entry_->bytes_of_file.data();
  entry_->bytes = entry_->bytes_of_file.size();
  const std::lock_guard guard(list_mutex());
  entry_->next = __jit_debug_descriptor.first;
  entry_->previous = nullptr;
  if (entry_->next != nullptr) entry_->next->previous = entry_.get();
  __jit_debug_descriptor.first = entry_.get();
  tell_debugger(*entry_, kRegister);
}

std::unique_ptr<const DebuggerSymbols> DebuggerSymbols::create(std::span<const Symbol> symbols) {
  return std::unique_ptr<const DebuggerSymbols>(new DebuggerSymbols(elf_file(symbols)));
}

DebuggerSymbols::~DebuggerSymbols() {
  const std::lock_guard guard(list_mutex());
  if (entry_->next != nullptr) entry_->next->previous = entry_->previous;
  if (entry_->previous != nullptr)
    entry_->previous->next = entry_->next;
  else
    __jit_debug_descriptor.first = entry_->next;
  tell_debugger(*entry_, kUnregister);
}

}  // namespace portolan::jit
