// SPDX-License-Identifier: Apache-2.0
// Programs are put together from functions: the one that a section is there for, and behind it each function
// that is called, once. So calls and addresses of functions are resolved anew, whether the compiler has left
// a relocation or a distance.
#include "loader/legacy_program.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "isa/insn.h"

namespace portolan::loader {
namespace {

constexpr std::uint32_t kRelocation64 = 1, kRelocationCall = 10;  // R_BPF_64_64, R_BPF_64_32
constexpr std::size_t kMostInsns = 4 << 20;  // of all programs of an object, each with what it calls
constexpr std::string_view kText = ".text";

struct Function {
  const ElfSection* section;
  std::string name;
  std::size_t start, end;  // instructions of the section
  bool is_global;
};

class Reader {
 public:
  Reader(const ElfFile& elf, const ElfSection* maps, const std::vector<MapAt>& places, std::string* why)
      : elf_(elf), maps_(maps), places_(places), why_(why) {}

  Result<std::vector<LegacyProgram>> read() {
    for (const ElfSection& section : elf_.sections) {
      if (!section.is_code()) continue;
      if (section.bytes.empty() && section.name == kText) continue;
      TRY(check_code(section));
      TRY(find_functions(section));
    }
    std::vector<LegacyProgram> programs;
    for (const ElfSection& section : elf_.sections) {
      if (!section.is_code() || section.name == kText) continue;
      const auto kind = kind_of_section(section.name);
      if (!kind) return say("section \"{}\": no type of program has that name", section.name);
      TRY(read_section(section, *kind, programs));
    }
    return programs;
  }

 private:
  template <class... Args>
  std::unexpected<Errno> say(fmt::format_string<Args...> format, Args&&... args) {
    *why_ = fmt::format(format, std::forward<Args>(args)...);
    return fail(EINVAL);
  }
  // What is wrong with an instruction, by section and function.
  template <class... Args>
  std::unexpected<Errno> say_at(const Function& function, std::size_t at, fmt::format_string<Args...> format,
                                Args&&... args) {
    return say("section \"{}\", symbol \"{}\", instruction {}: {}", function.section->name, function.name,
               at - function.start, fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> check_code(const ElfSection& section) {
    const std::size_t size = section.bytes.size();
    if (size == 0) return say("section \"{}\": it is empty", section.name);
    if (size % sizeof(abi::Insn) != 0)
      return say("section \"{}\": {} bytes are not whole instructions of 8", section.name, size);
    for (const ElfRelocation& one : section.relocations) {
      const std::string& symbol = elf_.symbols[one.symbol].name;
      if (one.offset >= size)
        return say("section \"{}\", symbol \"{}\": a relocation at {}, beyond the section's {} bytes",
                   section.name, symbol, one.offset, size);
      if (one.offset % sizeof(abi::Insn) != 0)
        return say("section \"{}\", symbol \"{}\": a relocation at {}, inside of an instruction",
                   section.name, symbol, one.offset);
      if (one.type != kRelocation64 && one.type != kRelocationCall)
        return say("section \"{}\", symbol \"{}\": relocation type {} at {} is none of a program's",
                   section.name, symbol, one.type, one.offset);
      if (!relocations_.emplace(Place{section.index, one.offset / sizeof(abi::Insn)}, one).second)
        return say("section \"{}\", symbol \"{}\": a second relocation at {}", section.name, symbol,
                   one.offset);
    }
    return {};
  }

  // A section without a symbol at its beginning is a function that begins there, of the section's name.
  Result<void> find_functions(const ElfSection& section) {
    std::map<std::size_t, Function> found;
    const std::size_t count = section.bytes.size() / sizeof(abi::Insn);
    for (const ElfSymbol& symbol : elf_.symbols) {
      if (symbol.section != section.index || symbol.type != STT_FUNC) continue;
      if (symbol.value % sizeof(abi::Insn) != 0 || symbol.value >= section.bytes.size())
        return say("section \"{}\", symbol \"{}\": a function at {}, where no instruction begins",
                   section.name, symbol.name, symbol.value);
      const std::size_t start = symbol.value / sizeof(abi::Insn);
      found.try_emplace(start, Function{&section, symbol.name, start, count, symbol.is_global});
    }
    found.try_emplace(0, Function{&section, section.name, 0, count, true});
    for (auto at = found.begin(); at != found.end(); ++at) {
      if (const auto next = std::next(at); next != found.end()) at->second.end = next->first;
      function_at_[{section.index, at->first}] = functions_.size();
      functions_.push_back(at->second);
    }
    return {};
  }

  // Every global function of a section is a program; if none is, its first.
  Result<void> read_section(const ElfSection& section, const ProgramKind& kind,
                            std::vector<LegacyProgram>& programs) {
    bool has_global = false;
    for (const Function& one : functions_) has_global |= one.section == &section && one.is_global;
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      const Function& one = functions_[i];
      if (one.section != &section || (has_global ? !one.is_global : one.start != 0)) continue;
      programs.push_back(TRY(assemble(i, kind)));
    }
    return {};
  }

  struct Place {
    std::uint32_t section;
    std::size_t insn;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  // While a program is put together.
  struct Assembly {
    LegacyProgram program;
    std::map<std::size_t, std::size_t> starts;                 // of functions, in the program
    std::vector<std::size_t> waiting;                          // functions that are to follow
    std::vector<std::pair<std::size_t, std::size_t>> targets;  // an instruction, and the function it leads to
  };

  Result<LegacyProgram> assemble(std::size_t main, const ProgramKind& kind) {
    Assembly all;
    all.program.name = functions_[main].name;
    all.program.section = functions_[main].section->name;
    all.program.kind = kind;
    all.waiting.push_back(main);
    all.starts[main] = 0;
    for (std::size_t next = 0; next < all.waiting.size(); ++next) {
      const std::size_t number = all.waiting[next];
      all.starts[number] = all.program.insns.size();
      TRY(append(functions_[number], all));
    }
    for (const auto& [at, function] : all.targets)
      all.program.insns[at].imm = static_cast<std::int32_t>(static_cast<std::int64_t>(all.starts[function]) -
                                                            static_cast<std::int64_t>(at) - 1);
    return std::move(all.program);
  }

  Result<void> append(const Function& function, Assembly& all) {
    auto& insns = all.program.insns;
    const std::size_t count = function.end - function.start, begin = insns.size();
    total_ += count;
    if (total_ > kMostInsns)
      return say("section \"{}\", symbol \"{}\": more than {} instructions in all", function.section->name,
                 function.name, kMostInsns);
    insns.resize(begin + count);
    std::memcpy(insns.data() + begin, function.section->bytes.data() + function.start * sizeof(abi::Insn),
                count * sizeof(abi::Insn));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t source = function.start + i, at = begin + i;
      const bool is_wide = isa::is_wide(insns[at]);
      if (is_wide && i + 1 == count) return say_at(function, source, "a 64-bit load without its second half");
      const auto relocation = relocations_.find({function.section->index, source});
      if (relocation != relocations_.end())
        TRY(relocate(function, source, relocation->second, at, all));
      else
        TRY(follow(function, source, at, all));
      if (!is_wide) continue;
      ++i;
      if (relocations_.contains({function.section->index, source + 1}))
        return say_at(function, source + 1, "a relocation of the second half of a 64-bit load");
    }
    return {};
  }

  Result<void> relocate(const Function& function, std::size_t source, const ElfRelocation& relocation,
                        std::size_t at, Assembly& all) {
    abi::Insn& insn = all.program.insns[at];
    const ElfSymbol& symbol = elf_.symbols[relocation.symbol];
    if (symbol.is_undefined)
      return say_at(function, source, "symbol \"{}\" is not defined in this object", symbol.name);
    const ElfSection* const section = symbol.section != 0 ? &elf_.sections[symbol.section] : nullptr;
    if (section == nullptr) return say_at(function, source, "symbol \"{}\" is in no section", symbol.name);
    const bool is_call = insn.code == isa::kCallCode;
    if (relocation.type == kRelocationCall && !is_call)
      return say_at(function, source, "a call's relocation, for symbol \"{}\", of another instruction",
                    symbol.name);
    if (relocation.type == kRelocation64 && !isa::is_wide(insn))
      return say_at(function, source, "a 64-bit relocation, for symbol \"{}\", of another instruction",
                    symbol.name);
    if (section->is_code()) {
      // Beside a symbol of the section, the instruction says where in it; calls by distance from -1.
      const std::int64_t further = is_call ? std::int64_t{insn.imm} + 1 : insn.imm / 8;
      const std::int64_t target = static_cast<std::int64_t>(symbol.value / sizeof(abi::Insn)) + further;
      return lead_to(function, source, *section, target, symbol.name, at, all);
    }
    if (is_call)
      return say_at(function, source, "a call of symbol \"{}\", which is in section \"{}\"", symbol.name,
                    section->name);
    if (section != maps_)
      return say_at(
          function, source,
          "symbol \"{}\" is in section \"{}\", which holds no maps; variables need maps by BTF (.maps)",
          symbol.name.empty() ? section->name : symbol.name, section->name);
    const std::uint64_t offset =
        symbol.value + (symbol.type == STT_SECTION ? static_cast<std::uint32_t>(insn.imm) : 0);
    for (std::size_t map = 0; map < places_.size(); ++map) {
      if (places_[map].offset != offset) continue;
      insn.registers =
          static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(abi::PseudoLoad::kMapFd) << 4);
      all.program.insns[at + 1].imm = 0;
      all.program.maps.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(map)});
      return {};
    }
    return say_at(function, source, "symbol \"{}\" leads to byte {} of section \"{}\", where no map begins",
                  symbol.name, offset, section->name);
  }

  // What leads somewhere without a relocation leads to the same section.
  Result<void> follow(const Function& function, std::size_t source, std::size_t at, Assembly& all) {
    const abi::Insn& insn = all.program.insns[at];
    const bool calls =
        insn.code == isa::kCallCode && insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram);
    const bool loads = isa::is_wide(insn) && insn.src() == static_cast<std::uint8_t>(abi::PseudoLoad::kFunc);
    if (!calls && !loads) return {};
    const std::int64_t target = static_cast<std::int64_t>(source) + 1 + insn.imm;
    return lead_to(function, source, *function.section, target, function.section->name, at, all);
  }

  Result<void> lead_to(const Function& function, std::size_t source, const ElfSection& section,
                       std::int64_t target, const std::string& symbol, std::size_t at, Assembly& all) {
    abi::Insn& insn = all.program.insns[at];
    const auto found = target < 0 ? function_at_.end()
                                  : function_at_.find({section.index, static_cast<std::size_t>(target)});
    if (found == function_at_.end())
      return say_at(function, source,
                    "it leads to instruction {} of section \"{}\" (symbol \"{}\"), where no "
                    "function begins",
                    target, section.name, symbol);
    if (section.name != kText && &section != function.section)
      return say_at(function, source, "it leads to symbol \"{}\" in section \"{}\", which is another program",
                    functions_[found->second].name, section.name);
    if (isa::is_wide(insn)) {
      insn.registers =
          static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(abi::PseudoLoad::kFunc) << 4);
      all.program.insns[at + 1].imm = 0;
    } else {
      insn.registers =
          static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(abi::PseudoCall::kSubprogram) << 4);
    }
    all.targets.emplace_back(at, found->second);
    if (all.starts.try_emplace(found->second, 0).second) all.waiting.push_back(found->second);
    return {};
  }

  const ElfFile& elf_;
  const ElfSection* maps_;
  const std::vector<MapAt>& places_;
  std::string* why_;
  std::vector<Function> functions_;
  std::map<Place, std::size_t> function_at_;
  std::map<Place, ElfRelocation> relocations_;
  std::size_t total_ = 0;
};

}  // namespace

Result<std::vector<LegacyProgram>> read_programs(const ElfFile& elf, const ElfSection* maps,
                                                 const std::vector<MapAt>& places, std::string* why) {
  return Reader(elf, maps, places, why).read();
}

}  // namespace portolan::loader
