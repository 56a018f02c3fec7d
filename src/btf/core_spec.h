// SPDX-License-Identifier: Apache-2.0
// What a CO-RE relocation is about, in the terms of one BTF: a type, a field or element that is reached from
// it, or an enumerator.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "abi/insn.h"
#include "btf/btf.h"

namespace portolan::btf {

enum class CoreSubject : std::uint8_t { kField, kType, kEnumval, kNone };
struct CoreKind {
  const char* name;
  CoreSubject subject;
};
CoreKind core_kind(std::uint32_t kind);  // any number: of those that there are not, {"unknown", kNone}

// One step that has a meaning in C: the name of a member or enumerator, or an index.
struct CoreAccessor {
  std::uint32_t type_id;  // of the struct, union or enum that has it; of an element: its own
  std::uint32_t index;
  const char* name;  // nullptr: an element
};

struct CoreSpec {
  static constexpr std::size_t kMaxLength = 64;  // of both lists: E2BIG

  const Btf* btf = nullptr;
  std::uint32_t type_id = 0;  // where it starts, as the relocation says it
  std::uint32_t kind = 0;
  std::vector<CoreAccessor> accessors;
  std::vector<std::uint32_t> path;  // every step, those to members without a name included
  std::uint32_t bit_offset = 0;     // wraps around, as the kernel's

  CoreSubject subject() const { return core_kind(kind).subject; }
  // Whether an array that the last accessor leads to has no length of its own: any index may be meant.
  bool ends_in_flexible(const abi::btf::Array& array) const;
};

// By the program's BTF, which has the type. EINVAL, E2BIG; of some faults `log` says more.
Result<CoreSpec> parse_core_spec(const Btf& btf, const abi::CoreRelo& relo, Log* log);
// As the log shows it: "<byte_off> [2] STRUCT pair.second (0:1 @ offset 4)", cut where the kernel cuts it.
std::string to_text(const CoreSpec& spec);

// What of a name counts: flavors of it end in three underscores and some letters ("task_struct___v2").
std::string_view essential_name(std::string_view name);

// EINVAL: no object has this type.
Result<std::uint32_t> core_size_of(const Btf& btf, std::uint32_t id);

constexpr bool is_any_enum(const Type& type) { return is(type, Kind::kEnum) || is(type, Kind::kEnum64); }
// Of an enum that has so many.
const char* enumerator_name(const Btf& btf, const Type& type, std::uint32_t index);
std::uint64_t enumerator_value(const Btf& btf, const Type& type, std::uint32_t index);  // sign-extended

// `log` may be null.
template <class... Args>
void say(Log* log, fmt::format_string<Args...> format, Args&&... args) {
  if (log != nullptr) log->print(format, std::forward<Args>(args)...);
}

}  // namespace portolan::btf
