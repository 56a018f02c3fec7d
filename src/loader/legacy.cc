// SPDX-License-Identifier: Apache-2.0
#include "loader/legacy.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "loader/elf_file.h"
#include "loader/legacy_program.h"

namespace portolan::loader {
namespace {

template <class... Args>
std::unexpected<Errno> say(std::string* why, fmt::format_string<Args...> format, Args&&... args) {
  *why = fmt::format(format, std::forward<Args>(args)...);
  return fail(EINVAL);
}

constexpr const char* kMaps = "maps";
constexpr std::size_t kFields = 7, kLeastDefinition = 16, kMostDefinition = 4096;

bool is_map_symbol(const ElfSymbol& symbol, const ElfSection& maps) {
  return symbol.section == maps.index && (symbol.type == STT_OBJECT || symbol.type == STT_NOTYPE) &&
         !symbol.name.empty();
}

// The definitions are all of one size: as many bytes as there are, for as many symbols.
Result<std::vector<MapAt>> find_maps(const ElfFile& elf, const ElfSection& section, std::string* why) {
  std::vector<MapAt> maps;
  for (const ElfSymbol& symbol : elf.symbols)
    if (is_map_symbol(symbol, section)) maps.push_back({symbol.value, symbol.name});
  if (maps.empty()) return say(why, "section \"{}\": no symbol says where a map is", section.name);
  std::sort(maps.begin(), maps.end(), [](const MapAt& a, const MapAt& b) { return a.offset < b.offset; });
  const std::size_t size = section.bytes.size();
  if (size == 0 || size % maps.size() != 0)
    return say(why,
               "section \"{}\": {} bytes are not {} definitions of one size (the first is symbol \"{}\")",
               section.name, size, maps.size(), maps[0].name);
  const std::size_t each = size / maps.size();
  if (each < kLeastDefinition || each > kMostDefinition || each % 4 != 0)
    return say(why, "section \"{}\", symbol \"{}\": a definition of {} bytes is no struct bpf_map_def",
               section.name, maps[0].name, each);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].offset > size - each)
      return say(why, "section \"{}\", symbol \"{}\": it lies at {}, beyond the section's {} bytes",
                 section.name, maps[i].name, maps[i].offset, size);
    if (i != 0 && maps[i].offset == maps[i - 1].offset)
      return say(why, "section \"{}\", symbol \"{}\": it lies at {}, as symbol \"{}\" does", section.name,
                 maps[i].name, maps[i].offset, maps[i - 1].name);
    if (maps[i].offset != i * each)
      return say(why, "section \"{}\", symbol \"{}\": it lies at {} instead of {}, where a definition begins",
                 section.name, maps[i].name, maps[i].offset, i * each);
  }
  return maps;
}

Result<LegacyMap> read_map(const ElfSection& section, const MapAt& at, std::size_t size, std::string* why) {
  std::uint32_t fields[kFields] = {};
  std::memcpy(fields, section.bytes.data() + at.offset, std::min(size, sizeof fields));
  for (std::size_t i = sizeof fields; i < size; ++i)
    if (section.bytes[at.offset + i] != std::byte{0})
      return say(
          why,
          "section \"{}\", symbol \"{}\": byte {} of the definition is not zero, and behind the fields "
          "that are known (is it iproute2's struct bpf_elf_map?)",
          section.name, at.name, i);
  return LegacyMap{at.name, fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6]};
}

Result<void> read_maps(const ElfFile& elf, const ElfSection& section, LegacyObject& object,
                       std::vector<MapAt>& places, std::string* why) {
  places = TRY(find_maps(elf, section, why));
  const std::size_t each = section.bytes.size() / places.size();
  for (const MapAt& at : places) object.maps.push_back(TRY(read_map(section, at, each, why)));
  for (const LegacyMap& map : object.maps) {
    const bool is_of_maps = map.type == 12 || map.type == 13;  // ARRAY_OF_MAPS, HASH_OF_MAPS
    if (is_of_maps && map.inner_map_idx >= object.maps.size())
      return say(why, "section \"{}\", symbol \"{}\": its inner map is number {}, of {}", section.name,
                 map.name, map.inner_map_idx, object.maps.size());
  }
  return {};
}

// A section that there is at most once.
Result<const ElfSection*> only(const ElfFile& elf, std::string_view name, std::string* why) {
  const ElfSection* found = nullptr;
  for (const ElfSection& section : elf.sections) {
    if (section.index == 0 || section.name != name) continue;
    if (found != nullptr) return say(why, "section \"{}\": there are two of that name", name);
    found = &section;
  }
  return found;
}

Result<void> read_license(const ElfFile& elf, LegacyObject& object, std::string* why) {
  const ElfSection* const section = TRY(only(elf, "license", why));
  if (section == nullptr) return {};  // which programs may be loaded without is bpf(2)'s business
  const auto end = std::find(section->bytes.begin(), section->bytes.end(), std::byte{0});
  if (end == section->bytes.end()) return say(why, "section \"license\": the text does not end with a NUL");
  object.license.assign(reinterpret_cast<const char*>(section->bytes.data()),
                        static_cast<std::size_t>(end - section->bytes.begin()));
  return {};
}

Result<void> read_version(const ElfFile& elf, LegacyObject& object, std::string* why) {
  const ElfSection* const section = TRY(only(elf, "version", why));
  if (section == nullptr) return {};
  if (section->bytes.size() != sizeof object.version)
    return say(why, "section \"version\": {} bytes instead of {}", section->bytes.size(),
               sizeof object.version);
  std::memcpy(&object.version, section->bytes.data(), sizeof object.version);
  return {};
}

}  // namespace

bool is_legacy(ConstBytes bytes) {
  std::string ignored;
  const auto elf = read_elf(bytes, &ignored);
  return elf && elf->find(kMaps) != nullptr && elf->find(".maps") == nullptr;
}

Result<LegacyObject> read_legacy(ConstBytes bytes, std::string* why) {
  const ElfFile elf = TRY(read_elf(bytes, why));
  LegacyObject object;
  TRY(read_license(elf, object, why));
  TRY(read_version(elf, object, why));
  const ElfSection* const maps = TRY(only(elf, kMaps, why));
  std::vector<MapAt> places;
  if (maps != nullptr) TRY(read_maps(elf, *maps, object, places, why));
  object.programs = TRY(read_programs(elf, maps, places, why));
  if (object.programs.empty()) return say(why, "no section holds a program");
  return object;
}

}  // namespace portolan::loader
