// SPDX-License-Identifier: Apache-2.0
// Whole types: "compatible" is of the same kinds all through, "matching" has what the program's type has,
// under the same names.
#include "btf/core_match.h"

namespace portolan::btf {
namespace {

constexpr int kMostReferences = 32;  // of pointers, arrays and functions: EINVAL

bool is_signed(const Btf& btf, const Type& type) {
  return (abi::btf::int_encoding(btf.int_word(type)) & abi::btf::kIntSigned) != 0;
}

}  // namespace

bool CoreMatch::kinds_are_compatible(Pair pair) const {
  const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
  return abi::btf::kind(local) == abi::btf::kind(target) || (is_any_enum(local) && is_any_enum(target));
}

bool CoreMatch::names_match(std::uint32_t local_offset, std::uint32_t target_offset) const {
  return essential_name(local_.name(local_offset)) == essential_name(target_.name(target_offset));
}

Result<bool> CoreMatch::types_are_compatible(Pair pair, int level) {
  if (!kinds_are_compatible(pair)) return false;
  for (int left = kMostReferences; left > 0; --left) {
    TRY(take_step());
    pair = resolve(pair);
    if (!kinds_are_compatible(pair)) return false;
    const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
    switch (abi::btf::kind(local)) {
      case Kind::kUnkn:
      case Kind::kStruct:
      case Kind::kUnion:
      case Kind::kEnum:
      case Kind::kEnum64:
      case Kind::kFwd:
        return true;
      case Kind::kInt:
        return abi::btf::int_offset(local_.int_word(local)) == 0 &&
               abi::btf::int_offset(target_.int_word(target)) == 0;
      case Kind::kPtr:
        pair = {local.type, target.type};
        continue;
      case Kind::kArray:
        pair = {local_.array(local).type, target_.array(target).type};
        continue;
      case Kind::kFuncProto:
        if (!TRY(parameters_are_compatible(pair, level))) return false;
        pair = {local.type, target.type};
        continue;
      default:
        return false;
    }
  }
  return fail(EINVAL);
}

Result<bool> CoreMatch::parameters_are_compatible(Pair pair, int level) {
  const auto local = local_.params(*local_.type(pair.local));
  const auto target = target_.params(*target_.type(pair.target));
  if (local.size() != target.size()) return false;
  for (std::size_t i = 0; i < local.size(); ++i) {
    if (level <= 0) return fail(EINVAL);
    if (!TRY(types_are_compatible(resolve({local[i].type, target[i].type}), level - 1))) return false;
  }
  return true;
}

// The names of the types that it starts with have been compared.
Result<bool> CoreMatch::types_match(Pair pair, bool behind_pointer, int level) {
  if (level <= 0) return fail(EINVAL);
  for (int left = kMostReferences; left > 0; --left) {
    TRY(take_step());
    pair = resolve(pair);
    const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
    if (!names_match(local.name_off, target.name_off)) return false;
    const Kind kind = abi::btf::kind(local);
    const bool same_kind = kind == abi::btf::kind(target);
    switch (kind) {
      case Kind::kEnum:
      case Kind::kEnum64:
        return is_any_enum(target) ? enums_match(pair) : false;
      case Kind::kFwd:
      case Kind::kStruct:
      case Kind::kUnion:
        if (behind_pointer) return matches_behind_pointer(pair);
        if (!same_kind) return false;
        if (kind == Kind::kFwd) return abi::btf::kind_flag(local) == abi::btf::kind_flag(target);
        return members_match(pair, behind_pointer, level);
      case Kind::kUnkn:
        return same_kind;
      case Kind::kInt:
        return same_kind && local.size == target.size &&
               is_signed(local_, local) == is_signed(target_, target);
      case Kind::kPtr:
        if (!same_kind) return false;
        behind_pointer = true;
        pair = {local.type, target.type};
        continue;
      case Kind::kArray:
        if (!same_kind || local_.array(local).nelems != target_.array(target).nelems) return false;
        pair = {local_.array(local).type, target_.array(target).type};
        continue;
      case Kind::kFuncProto:
        if (!same_kind || !TRY(parameters_match(pair, behind_pointer, level))) return false;
        pair = {local.type, target.type};
        continue;
      default:
        return false;
    }
  }
  return fail(EINVAL);
}

// Structs and unions, of which there a declaration is enough.
bool CoreMatch::matches_behind_pointer(Pair pair) const {
  const auto is_union = [](const Type& type) {
    return is(type, Kind::kUnion) || (is(type, Kind::kFwd) && abi::btf::kind_flag(type));
  };
  const auto is_either = [](const Type& type) { return is_aggregate(type) || is(type, Kind::kFwd); };
  const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
  return is_either(local) && is_either(target) && is_union(local) == is_union(target);
}

Result<bool> CoreMatch::enums_match(Pair pair) {
  const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
  if (local.size != target.size || abi::btf::vlen(local) > abi::btf::vlen(target)) return false;
  for (std::uint32_t i = 0; i < abi::btf::vlen(local); ++i) {
    const std::string_view wanted = essential_name(enumerator_name(local_, local, i));
    bool is_there = false;
    for (std::uint32_t j = 0; j < abi::btf::vlen(target) && !is_there; ++j) {
      TRY(take_step());
      is_there = essential_name(enumerator_name(target_, target, j)) == wanted;
    }
    if (!is_there) return false;
  }
  return true;
}

Result<bool> CoreMatch::members_match(Pair pair, bool behind_pointer, int level) {
  const auto local = local_.members(*local_.type(pair.local));
  const auto target = target_.members(*target_.type(pair.target));
  if (local.size() > target.size()) return false;
  for (const abi::btf::Member& wanted : local) {
    bool is_there = false;
    for (std::size_t j = 0; j < target.size() && !is_there; ++j) {
      TRY(take_step());
      if (names_match(wanted.name_off, target[j].name_off))
        is_there = TRY(types_match({wanted.type, target[j].type}, behind_pointer, level - 1));
    }
    if (!is_there) return false;
  }
  return true;
}

Result<bool> CoreMatch::parameters_match(Pair pair, bool behind_pointer, int level) {
  const auto local = local_.params(*local_.type(pair.local));
  const auto target = target_.params(*target_.type(pair.target));
  if (local.size() != target.size()) return false;
  for (std::size_t i = 0; i < local.size(); ++i)
    if (!TRY(types_match({local[i].type, target[i].type}, behind_pointer, level - 1))) return false;
  return true;
}

}  // namespace portolan::btf
