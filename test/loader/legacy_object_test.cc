// SPDX-License-Identifier: Apache-2.0
// A good object is broken in every way that a file can be, by changing bytes of it: what comes of it must
// name section and symbol, and nothing else may happen.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <random>

#include "loader/legacy.h"

namespace portolan::loader {
namespace {

using ::testing::HasSubstr;

class File {
 public:
  explicit File(const std::string& name) {
    std::ifstream file(std::string(OBJECTS) + "/" + name + ".bpf.o", std::ios::binary);
    const std::vector<char> text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto from = std::as_bytes(std::span(text));
    bytes_.assign(from.begin(), from.end());
    EXPECT_GT(bytes_.size(), sizeof(Elf64_Ehdr));
  }
  std::vector<std::byte>& bytes() { return bytes_; }
  template <class T>
  T& at(std::size_t offset) {
    EXPECT_LE(offset + sizeof(T), bytes_.size());
    return *reinterpret_cast<T*>(bytes_.data() + offset);
  }
  Elf64_Ehdr& header() { return at<Elf64_Ehdr>(0); }
  Elf64_Shdr& section(std::size_t number) {
    return at<Elf64_Shdr>(header().e_shoff + number * sizeof(Elf64_Shdr));
  }
  std::string text(std::size_t strings, std::size_t offset) {
    return reinterpret_cast<const char*>(&at<std::byte>(section(strings).sh_offset + offset));
  }
  std::size_t number_of(const std::string& name) {
    for (std::size_t i = 1; i < header().e_shnum; ++i)
      if (text(header().e_shstrndx, section(i).sh_name) == name) return i;
    ADD_FAILURE() << "no section " << name;
    return 0;
  }
  Elf64_Shdr& section(const std::string& name) { return section(number_of(name)); }
  Elf64_Sym& symbol(const std::string& name) { return at<Elf64_Sym>(place_of_symbol(name)); }
  std::size_t number_of_symbol(const std::string& name) {
    return (place_of_symbol(name) - section(".symtab").sh_offset) / sizeof(Elf64_Sym);
  }
  // The first relocation of a section, or that for a symbol.
  Elf64_Rel& relocation(const std::string& target, const std::string& name = "") {
    const Elf64_Shdr table = section(".rel" + target);
    for (std::size_t at_byte = 0; at_byte < table.sh_size; at_byte += sizeof(Elf64_Rel)) {
      Elf64_Rel& one = at<Elf64_Rel>(table.sh_offset + at_byte);
      if (name.empty() || ELF64_R_SYM(one.r_info) == number_of_symbol(name)) return one;
    }
    ADD_FAILURE() << "no relocation of " << target << " for " << name;
    return at<Elf64_Rel>(table.sh_offset);
  }
  std::byte& byte_of(const std::string& name, std::size_t offset) {
    return at<std::byte>(section(name).sh_offset + offset);
  }

 private:
  std::size_t place_of_symbol(const std::string& name) {
    const Elf64_Shdr table = section(".symtab");
    for (std::size_t at_byte = 0; at_byte < table.sh_size; at_byte += sizeof(Elf64_Sym))
      if (text(table.sh_link, at<Elf64_Sym>(table.sh_offset + at_byte).st_name) == name)
        return table.sh_offset + at_byte;
    ADD_FAILURE() << "no symbol " << name;
    return table.sh_offset;
  }
  std::vector<std::byte> bytes_;
};

Elf64_Xword info_of(std::size_t symbol, std::uint32_t type) { return ELF64_R_INFO(symbol, type); }

TEST(LegacyObject, is_read_whole) {
  File file("legacy");
  std::string why;
  const auto object = read_legacy(file.bytes(), &why);
  ASSERT_TRUE(object) << why;
  EXPECT_TRUE(is_legacy(file.bytes()));
  EXPECT_EQ(object->license, "GPL");
  EXPECT_EQ(object->version, 0x040c00u);
  ASSERT_EQ(object->maps.size(), 4u);
  EXPECT_EQ(object->maps[1].name, "sizes");
  EXPECT_EQ(object->maps[1].type, 1u);
  EXPECT_EQ(object->maps[1].max_entries, 64u);
  EXPECT_EQ(object->maps[1].map_flags, 1u);
  ASSERT_EQ(object->programs.size(), 4u);
  EXPECT_EQ(object->programs[0].kind.type, abi::ProgType::kXdp);
  EXPECT_EQ(object->programs[2].kind.type, abi::ProgType::kSocketFilter);
  // count_packets brings count and remember with it, each once; always_aborts nothing.
  const auto uses = [&](std::size_t program, std::uint32_t map) {
    std::size_t count = 0;
    for (const auto& use : object->programs[program].maps) count += use.map == map ? 1 : 0;
    return count;
  };
  EXPECT_EQ(uses(0, 0), 1u);
  EXPECT_EQ(uses(0, 1), 1u);
  EXPECT_EQ(uses(0, 3), 1u);
  EXPECT_EQ(uses(1, 0), 0u);
  EXPECT_EQ(object->programs[1].insns.size(), 2u);
}

TEST(LegacyObject, objects_with_btf_maps_are_not_legacy) {
  EXPECT_FALSE(is_legacy(File("variables").bytes()));
  EXPECT_FALSE(is_legacy({}));
}

TEST(LegacyObject, names_of_sections_say_what_programs_are) {
  const auto type = [](std::string_view name) {
    const auto kind = kind_of_section(name);
    return kind ? kind->type : abi::ProgType::kUnspec;
  };
  EXPECT_EQ(type("socket1"), abi::ProgType::kSocketFilter);
  EXPECT_EQ(type("kprobe/sys_write"), abi::ProgType::kKprobe);
  EXPECT_EQ(type("kprobes"), abi::ProgType::kUnspec);
  EXPECT_EQ(type("tracepoint/sched/sched_switch"), abi::ProgType::kTracepoint);
  EXPECT_EQ(type("raw_tracepoint/sys_enter"), abi::ProgType::kRawTracepoint);
  EXPECT_EQ(type("raw_tracepoint.w/x"), abi::ProgType::kRawTracepointWritable);
  EXPECT_EQ(type("classifier"), abi::ProgType::kSchedCls);
  EXPECT_EQ(type("cgroup/connect6"), abi::ProgType::kCgroupSockAddr);
  EXPECT_EQ(kind_of_section("cgroup/connect6")->expected_attach_type, 11u);
  EXPECT_EQ(kind_of_section("cgroup_skb/egress")->expected_attach_type, 1u);
  EXPECT_EQ(kind_of_section("xdp/devmap")->expected_attach_type, 33u);
  EXPECT_EQ(type("nothing"), abi::ProgType::kUnspec);
}

struct Breakage {
  friend void PrintTo(const Breakage& one, std::ostream* out) { *out << one.name; }
  const char* name;
  std::function<void(File&)> edit;
  std::vector<const char*> words;  // of the sentence that comes of it
};

const std::vector<Breakage>& breakages() {
  static const std::vector<Breakage> all = {
      {"no_elf", [](File& f) { f.at<char>(0) = 'x'; }, {"not an ELF file"}},
      {"shorter_than_a_header", [](File& f) { f.bytes().resize(40); }, {"truncated", "40 bytes"}},
      {"class_32", [](File& f) { f.header().e_ident[EI_CLASS] = ELFCLASS32; }, {"64-bit"}},
      {"big_endian", [](File& f) { f.header().e_ident[EI_DATA] = ELFDATA2MSB; }, {"little-endian"}},
      {"another_machine", [](File& f) { f.header().e_machine = EM_X86_64; }, {"machine 62", "BPF"}},
      {"an_executable", [](File& f) { f.header().e_type = ET_EXEC; }, {"relocatable"}},
      {"no_sections", [](File& f) { f.header().e_shnum = 0; }, {"no section header table"}},
      {"sections_beyond_the_end",
       [](File& f) { f.bytes().resize(f.bytes().size() - 64); },
       {"section header table", "beyond the end"}},
      {"section_headers_of_another_size",
       [](File& f) { f.header().e_shentsize = 40; },
       {"40 bytes instead of 64"}},
      {"no_section_names", [](File& f) { f.header().e_shstrndx = 200; }, {"section names", "200"}},
      {"a_section_beyond_the_end",
       [](File& f) { f.section("xdp").sh_offset = 1 << 30; },
       {"section \"xdp\"", "beyond the end"}},
      {"a_section_of_huge_size",
       [](File& f) { f.section("maps").sh_size = ~0ull - 8; },
       {"section \"maps\"", "beyond the end"}},
      {"stripped", [](File& f) { f.section(".symtab").sh_type = SHT_PROGBITS; }, {"symbol table"}},
      {"a_torn_symbol_table", [](File& f) { f.section(".symtab").sh_size -= 4; }, {"section \".symtab\""}},
      {"a_symbol_without_a_name",
       [](File& f) { f.symbol("sizes").st_name = 1 << 30; },
       {"\".symtab\"", "no name"}},
      {"a_symbol_in_no_section",
       [](File& f) { f.symbol("sizes").st_shndx = 200; },
       {"symbol \"sizes\"", "section 200"}},
      {"license_without_an_end",
       [](File& f) { f.byte_of("license", 3) = std::byte{'x'}; },
       {"section \"license\"", "NUL"}},
      {"version_of_another_size",
       [](File& f) { f.section("version").sh_size = 3; },
       {"section \"version\"", "3 bytes instead of 4"}},
      {"two_licenses",
       [](File& f) { f.section("version").sh_name = f.section("license").sh_name; },
       {"section \"license\"", "two"}},
      {"maps_of_no_one_size",
       [](File& f) { f.section("maps").sh_size -= 3; },
       {"section \"maps\"", "4 definitions of one size"}},
      {"maps_too_small",
       [](File& f) { f.section("maps").sh_size = 4 * 12; },
       {"section \"maps\"", "symbol \"packets\"", "12 bytes"}},
      {"no_map_symbols",
       [](File& f) {
         for (const char* name : {"packets", "sizes", "outer", "next"})
           f.symbol(name).st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
       },
       {"section \"maps\"", "no symbol"}},
      {"a_map_between_two",
       [](File& f) { f.symbol("sizes").st_value += 4; },
       {"section \"maps\"", "symbol \"sizes\"", "at 32 instead of 28"}},
      {"a_map_beyond_the_section",
       [](File& f) { f.symbol("next").st_value = 4000; },
       {"section \"maps\"", "symbol \"next\"", "beyond"}},
      {"two_maps_at_one_place",
       [](File& f) { f.symbol("sizes").st_value = f.symbol("packets").st_value; },
       {"section \"maps\"", "\"sizes\"", "\"packets\"", "at 0"}},
      {"an_inner_map_that_is_not_there",
       [](File& f) { f.byte_of("maps", 2 * 28 + 20) = std::byte{9}; },
       {"section \"maps\"", "symbol \"outer\"", "inner map is number 9"}},
      {"fields_that_are_unknown",
       [](File& f) {  // two definitions of 56 bytes
         for (const char* name : {"sizes", "outer"})
           f.symbol(name).st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
         f.symbol("next").st_value = 56;
       },
       {"section \"maps\"", "symbol \"packets\"", "byte 28", "not zero"}},
      {"a_section_of_unknown_programs",
       [](File& f) { f.byte_of(".strtab", f.section("xdp").sh_name) = std::byte{'q'}; },
       {"section \"qdp\"", "no type of program"}},
      {"half_an_instruction",
       [](File& f) { f.section("xdp").sh_size -= 4; },
       {"section \"xdp\"", "whole instructions"}},
      {"a_program_without_instructions",
       [](File& f) { f.section("socket").sh_size = 0; },
       {"section \"socket\"", "empty"}},
      {"no_programs",
       [](File& f) {
         for (const char* name : {"xdp", "xdp/second", "socket", "socket/sum"})
           f.section(name).sh_flags &= ~std::uint64_t{SHF_EXECINSTR};
       },
       {"no section holds a program"}},
      {"a_function_inside_an_instruction",
       [](File& f) { f.symbol("count_packets").st_value = 4; },
       {"section \"xdp\"", "symbol \"count_packets\"", "at 4"}},
      {"a_relocation_beyond_the_program",
       [](File& f) { f.relocation("xdp").r_offset = 1 << 20; },
       {"section \"xdp\"", "beyond"}},
      {"a_relocation_at_an_odd_place",
       [](File& f) { f.relocation("xdp", "next").r_offset += 4; },
       {"section \"xdp\"", "symbol \"next\"", "inside of an instruction"}},
      {"a_relocation_of_unknown_type",
       [](File& f) { f.relocation("xdp", "next").r_info = info_of(f.number_of_symbol("next"), 77); },
       {"section \"xdp\"", "symbol \"next\"", "type 77"}},
      {"a_relocation_for_no_symbol",
       [](File& f) { f.relocation("xdp").r_info = info_of(60000, 1); },
       {"section \".relxdp\"", "no symbol 60000"}},
      {"a_torn_relocation_table",
       [](File& f) { f.section(".relxdp").sh_size -= 8; },
       {"section \".relxdp\""}},
      {"relocations_of_a_section_that_is_not_there",
       [](File& f) { f.section(".relxdp").sh_info = 99; },
       {"section \".relxdp\"", "section 99"}},
      {"relocations_by_another_table",
       [](File& f) { f.section(".relxdp").sh_link = 1; },
       {"section \".relxdp\"", "no symbol table"}},
      {"two_relocations_of_one_instruction",
       [](File& f) {
         f.relocation("socket", "outer").r_offset = 8;
         f.section(".relsocket").sh_size = 16;
         f.relocation("socket").r_offset = 8;
         f.section(".relxdp").sh_info = static_cast<Elf64_Word>(f.number_of("xdp"));
         auto& second = f.at<Elf64_Rel>(f.section(".relxdp").sh_offset + sizeof(Elf64_Rel));
         second.r_offset = f.relocation("xdp").r_offset;
       },
       {"section \"xdp\"", "second relocation"}},
      {"a_relocation_of_no_load",
       [](File& f) { f.relocation("xdp", "next").r_offset += 16; },
       {"section \"xdp\"", "symbol \"count_packets\"", "\"next\"", "another instruction"}},
      {"an_undefined_symbol",
       [](File& f) {
         f.symbol("next").st_shndx = SHN_UNDEF;
         f.section("maps").sh_size = 3 * 28;
       },
       {"section \"xdp\"", "symbol \"next\" is not defined"}},
      {"a_map_that_is_no_map",
       [](File& f) { f.relocation("xdp", "next").r_info = info_of(f.number_of_symbol("_license"), 1); },
       {"section \"xdp\"", "symbol \"_license\"", "section \"license\"", "no maps"}},
      {"a_call_of_a_map",
       [](File& f) {
         auto& one = f.relocation("xdp");
         one.r_info =
             info_of(f.number_of_symbol("packets"), static_cast<std::uint32_t>(ELF64_R_TYPE(one.r_info)));
       },
       {"section \"xdp\"", "call of symbol \"packets\"", "section \"maps\""}},
      {"a_call_to_where_no_function_is",
       [](File& f) {
         const auto& one = f.relocation("xdp");
         f.at<std::int32_t>(f.section("xdp").sh_offset + one.r_offset + 4) += 1;
       },
       {"section \"xdp\"", "section \".text\"", "no function begins"}},
      {"a_call_of_another_program",
       [](File& f) {
         const auto& one = f.relocation("xdp");
         f.relocation("xdp").r_info =
             info_of(f.number_of_symbol("keep_some"), static_cast<std::uint32_t>(ELF64_R_TYPE(one.r_info)));
         f.at<std::int32_t>(f.section("xdp").sh_offset + one.r_offset + 4) = -1;
       },
       {"section \"xdp\"", "symbol \"keep_some\"", "another program"}},
      {"a_load_without_its_second_half",
       [](File& f) {
         f.section("xdp/second").sh_size = 8;
         f.byte_of("xdp/second", 0) = std::byte{0x18};
       },
       {"section \"xdp/second\"", "symbol \"always_aborts\"", "second half"}},
  };
  return all;
}

class BrokenObject : public ::testing::TestWithParam<Breakage> {};
INSTANTIATE_TEST_SUITE_P(Ways, BrokenObject, ::testing::ValuesIn(breakages()),
                         [](const auto& one) { return one.param.name; });

TEST_P(BrokenObject, is_refused_with_a_sentence) {
  File file("legacy");
  GetParam().edit(file);
  std::string why;
  const auto object = read_legacy(file.bytes(), &why);
  ASSERT_FALSE(object) << "it was let pass";
  EXPECT_EQ(object.error().value, EINVAL);
  for (const char* word : GetParam().words) EXPECT_THAT(why, HasSubstr(word));
}

// Any bytes may be changed: an object or a sentence comes of it (and ASan looks on).
TEST(LegacyObject, random_damage_is_survived) {
  const File good("legacy");
  std::mt19937_64 random(7);
  unsigned refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    File file = good;
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips)
      file.bytes()[random() % file.bytes().size()] = static_cast<std::byte>(random());
    if (random() % 8 == 0) file.bytes().resize(random() % file.bytes().size());
    std::string why;
    if (read_legacy(file.bytes(), &why)) continue;
    ++refused;
    EXPECT_FALSE(why.empty());
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace portolan::loader
