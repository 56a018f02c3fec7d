// SPDX-License-Identifier: Apache-2.0
#include "btf/type_name.h"

namespace portolan::btf {
namespace {

constexpr int kMaxSteps = 10;               // through pointers, arrays and typedefs; more: no name at all
constexpr std::size_t kMaxNameLength = 79;  // the rest is cut off

// What lies between the type and what it is made of.
struct Declarator {
  const Type* base = nullptr;
  const char* typedef_name = nullptr;  // the outermost
  std::size_t pointers = 0;
  std::size_t arrays = 0;
};

const Type& skip_qualifiers(const Btf& btf, std::uint32_t id) {
  const Type* type = btf.type(id);
  while (is_modifier(*type) && !is(*type, Kind::kTypedef)) type = btf.type(type->type);
  return *type;
}

// False: too long a chain.
bool unwrap(const Btf& btf, std::uint32_t id, Declarator& declarator) {
  const Type* type = btf.type(id);
  for (int step = 0; step < kMaxSteps; ++step) {
    declarator.base = type;
    std::uint32_t next = 0;
    if (is(*type, Kind::kTypedef)) {
      if (declarator.typedef_name == nullptr) declarator.typedef_name = btf.name(*type);
      next = type->type;
    } else if (is(*type, Kind::kArray)) {
      ++declarator.arrays;
      next = btf.array(*type).type;
    } else if (is(*type, Kind::kPtr)) {
      ++declarator.pointers;
      next = type->type;
    }
    if (next == 0) return true;
    type = &skip_qualifiers(btf, next);
  }
  return false;
}

}  // namespace

std::string shown_type_name(const Btf& btf, const abi::btf::Member* member, std::uint32_t id,
                            bool brackets_only) {
  Declarator declarator;
  if (!unwrap(btf, member != nullptr ? member->type : id, declarator)) return {};
  const Type& base = *declarator.base;
  const char* bracket = "";
  if (declarator.arrays != 0)
    bracket = "[";
  else if (is_aggregate(base))
    bracket = "{";
  if (declarator.pointers != 0) bracket = "";
  if (brackets_only) return bracket;

  std::string text;
  if (member != nullptr && *btf.name(member->name_off) != '\0')
    text = fmt::format(".{} = ", btf.name(member->name_off));
  const char* keyword = "";
  if (declarator.typedef_name == nullptr) {
    if (is(base, Kind::kStruct)) keyword = "struct";
    if (is(base, Kind::kUnion)) keyword = "union";
    if (is(base, Kind::kEnum) || is(base, Kind::kEnum64)) keyword = "enum";
  }
  const char* name = declarator.typedef_name != nullptr ? declarator.typedef_name : btf.name(base);
  text += '(';
  text += keyword;
  if (*keyword != '\0' && *name != '\0') text += ' ';
  text += name;
  if (declarator.pointers != 0) text += ' ' + std::string(declarator.pointers, '*');
  for (std::size_t i = 0; i < declarator.arrays; ++i) text += "[]";
  text += ')';
  text += bracket;
  if (text.size() > kMaxNameLength) text.resize(kMaxNameLength);
  return text;
}

}  // namespace portolan::btf
