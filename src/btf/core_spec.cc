// SPDX-License-Identifier: Apache-2.0
#include "btf/core_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace portolan::btf {
namespace {

constexpr std::size_t kMostText = 255;  // of a spec in the log

constexpr auto kCoreKinds = [] {
  std::array<CoreKind, abi::kCoreReloKindEnd> kinds{};
#define CORE_KIND(kind, text, subject) \
  kinds[static_cast<std::size_t>(abi::CoreReloKind::kind)] = {text, CoreSubject::subject};
#include "btf/core_kinds.def"
#undef CORE_KIND
  return kinds;
}();

// The kernel's isspace().
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// As sscanf("%d") there: past spaces, and of a number that is too large the low bits. `at` comes behind it.
std::optional<std::int32_t> parse_number(const char*& at) {
  while (is_space(*at)) ++at;
  const bool is_negative = *at == '-';
  if (is_negative) ++at;
  if (!is_digit(*at)) return std::nullopt;
  std::uint32_t value = 0;
  for (; is_digit(*at); ++at) value = value * 10 + static_cast<std::uint32_t>(*at - '0');
  return static_cast<std::int32_t>(is_negative ? 0 - value : value);
}

Result<std::vector<std::uint32_t>> parse_path(const char* at) {
  std::vector<std::uint32_t> path;
  while (*at != '\0') {
    if (*at == ':') ++at;
    const auto number = parse_number(at);
    if (!number || *number < 0) return fail(EINVAL);
    if (path.size() == CoreSpec::kMaxLength) return fail(E2BIG);
    path.push_back(static_cast<std::uint32_t>(*number));
  }
  return path;
}

// One step behind the first. `id` is the type that it starts at, and then the one that it leads to.
Result<void> parse_step(CoreSpec& spec, std::uint32_t& id, std::size_t step, Log* log) {
  const Btf& btf = *spec.btf;
  const std::uint32_t index = spec.path[step];
  id = btf.resolve(id);
  const Type& type = *btf.type(id);
  if (is_aggregate(type)) {
    if (index >= abi::btf::vlen(type)) return fail(EINVAL);
    const abi::btf::Member& member = btf.members(type)[index];
    spec.bit_offset += member_bit_offset(type, member);
    if (member.name_off != 0) spec.accessors.push_back({id, index, btf.name(member.name_off)});
    id = member.type;
    return {};
  }
  if (is(type, Kind::kArray)) {
    const abi::btf::Array& array = btf.array(type);
    if (index >= array.nelems && !spec.ends_in_flexible(array)) return fail(EINVAL);
    id = btf.resolve(array.type);
    spec.accessors.push_back({id, index, nullptr});
    spec.bit_offset += index * TRY(core_size_of(btf, id)) * 8;
    return {};
  }
  say(log, "prog '': relo for [{}]  (at idx {}) captures type [{}] of unexpected kind {}\n", spec.type_id,
      step, id, kKinds[abi::btf::info_kind(type.info)].name);
  return fail(EINVAL);
}

std::string enumerator_text(const CoreSpec& spec) {
  const Btf& btf = *spec.btf;
  const Type& type = *btf.type(btf.resolve(spec.type_id));
  // Of a candidate that does not fit the first one is shown.
  const std::uint32_t index = spec.path.empty() ? 0 : spec.path[0];
  if (!is_any_enum(type) || index >= abi::btf::vlen(type)) return {};
  const std::uint64_t value = enumerator_value(btf, type, index);
  const char* const name = enumerator_name(btf, type, index);
  if (abi::btf::kind_flag(type)) return fmt::format("::{} = {}", name, static_cast<std::int64_t>(value));
  return fmt::format("::{} = {}", name, is(type, Kind::kEnum) ? static_cast<std::uint32_t>(value) : value);
}

std::string field_text(const CoreSpec& spec) {
  std::string text;
  for (std::size_t i = 0; i < spec.accessors.size(); ++i) {
    const CoreAccessor& one = spec.accessors[i];
    if (one.name != nullptr)
      text += fmt::format(".{}", one.name);
    else if (i > 0 || one.index > 0)
      text += fmt::format("[{}]", one.index);
  }
  text += " (";
  for (std::size_t i = 0; i < spec.path.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ":", spec.path[i]);
  text += fmt::format(" @ offset {}", spec.bit_offset / 8);
  if (spec.bit_offset % 8 != 0) text += fmt::format(".{}", spec.bit_offset % 8);
  return text + ")";
}

}  // namespace

CoreKind core_kind(std::uint32_t kind) {
  return kind < abi::kCoreReloKindEnd ? kCoreKinds[kind] : CoreKind{"unknown", CoreSubject::kNone};
}

bool CoreSpec::ends_in_flexible(const abi::btf::Array& array) const {
  const CoreAccessor& last = accessors.back();
  if (last.name == nullptr || array.nelems > 0) return false;
  return last.index + 1 == abi::btf::vlen(*btf->type(last.type_id));
}

Result<CoreSpec> parse_core_spec(const Btf& btf, const abi::CoreRelo& relo, Log* log) {
  const char* const text = btf.name(relo.access_str_off);
  if (*text == '\0' || *text == ':') return fail(EINVAL);
  CoreSpec spec{&btf, relo.type_id, relo.kind, {}, {}, 0};
  if (spec.subject() == CoreSubject::kType) {
    if (std::strcmp(text, "0") != 0) return fail(EINVAL);
    return spec;
  }
  spec.path = TRY(parse_path(text));
  std::uint32_t id = btf.resolve(relo.type_id);
  const Type& type = *btf.type(id);
  const std::uint32_t first = spec.path[0];
  spec.accessors.push_back({id, first, nullptr});
  if (spec.subject() == CoreSubject::kEnumval) {
    if (!is_any_enum(type) || spec.path.size() > 1 || first >= abi::btf::vlen(type)) return fail(EINVAL);
    spec.accessors[0].name = enumerator_name(btf, type, first);
    return spec;
  }
  if (spec.subject() == CoreSubject::kNone) return fail(EINVAL);
  spec.bit_offset = first * TRY(core_size_of(btf, id)) * 8;
  for (std::size_t step = 1; step < spec.path.size(); ++step) TRY(parse_step(spec, id, step, log));
  return spec;
}

std::string to_text(const CoreSpec& spec) {
  const Type& type = *spec.btf->type(spec.type_id);
  const char* const name = spec.btf->name(type);
  std::string text =
      fmt::format("<{}> [{}] {} {}", core_kind(spec.kind).name, spec.type_id,
                  kKinds[abi::btf::info_kind(type.info)].name, *name == '\0' ? "<anon>" : name);
  if (spec.subject() == CoreSubject::kEnumval) text += enumerator_text(spec);
  if (spec.subject() == CoreSubject::kField) text += field_text(spec);
  text.resize(std::min(text.size(), kMostText));
  return text;
}

std::string_view essential_name(std::string_view name) {
  for (std::size_t length = name.size(); length >= 5; --length) {
    const std::string_view end = name.substr(length - 5);
    if (end[0] != '_' && end.substr(1, 3) == "___" && end[4] != '_') return name.substr(0, length - 4);
  }
  return name;
}

Result<std::uint32_t> core_size_of(const Btf& btf, std::uint32_t id) {
  const Type& type = *btf.type(btf.resolve(id));
  if (is(type, Kind::kDatasec) || is(type, Kind::kVar)) return fail(EINVAL);
  return btf.size_of(id);
}

const char* enumerator_name(const Btf& btf, const Type& type, std::uint32_t index) {
  return btf.name(is(type, Kind::kEnum) ? btf.enums(type)[index].name_off
                                        : btf.enums64(type)[index].name_off);
}

std::uint64_t enumerator_value(const Btf& btf, const Type& type, std::uint32_t index) {
  if (is(type, Kind::kEnum)) return static_cast<std::uint64_t>(std::int64_t{btf.enums(type)[index].val});
  const abi::btf::Enum64& one = btf.enums64(type)[index];
  return std::uint64_t{one.val_hi32} << 32 | one.val_lo32;
}

}  // namespace portolan::btf
