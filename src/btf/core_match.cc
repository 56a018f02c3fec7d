// SPDX-License-Identifier: Apache-2.0
#include "btf/core_match.h"

#include <cstring>

namespace portolan::btf {
namespace {

constexpr std::uint32_t kMostSteps = 1u << 22;
constexpr int kDeepest = 2;  // types of parameters and members that are looked into, one in the other

}  // namespace

Result<void> CoreMatch::take_step() {
  if (++steps_ > kMostSteps) return fail(E2BIG);
  return {};
}

Result<bool> CoreMatch::find(const CoreSpec& spec, std::uint32_t id, CoreSpec& found) {
  found = {&target_, id, spec.kind, {}, {}, 0};
  const Pair pair{spec.type_id, id};
  switch (spec.subject()) {
    case CoreSubject::kType:
      if (spec.kind == static_cast<std::uint32_t>(abi::CoreReloKind::kTypeMatches))
        return types_match(pair, false, kDeepest);
      return types_are_compatible(pair, kDeepest);
    case CoreSubject::kEnumval:
      return find_enumerator(spec, id, found);
    case CoreSubject::kField:
      return find_field(spec, id, found);
    case CoreSubject::kNone:
      break;
  }
  return fail(EINVAL);
}

Result<bool> CoreMatch::find_enumerator(const CoreSpec& spec, std::uint32_t id, CoreSpec& found) {
  id = target_.resolve(id);
  const Type& type = *target_.type(id);
  if (!is_any_enum(type)) return false;
  const std::string_view wanted = essential_name(spec.accessors[0].name);
  for (std::uint32_t i = 0; i < abi::btf::vlen(type); ++i) {
    const char* const name = enumerator_name(target_, type, i);
    if (essential_name(name) != wanted) continue;
    found.accessors.push_back({id, i, name});
    found.path.push_back(i);
    return true;
  }
  return false;
}

Result<bool> CoreMatch::find_field(const CoreSpec& spec, std::uint32_t id, CoreSpec& found) {
  for (const CoreAccessor& wanted : spec.accessors) {
    id = target_.resolve(id);
    const bool is_there =
        TRY(wanted.name != nullptr ? find_member(wanted, id, found) : find_element(wanted, id, found));
    if (!is_there) return false;
  }
  return true;
}

// Of the struct `id`, or of one without a name in it; `id` becomes its type. What was added to `found` for a
// member that is not of the right type stays, as in the kernel.
Result<bool> CoreMatch::find_member(const CoreAccessor& wanted, std::uint32_t& id, CoreSpec& found) {
  const std::uint32_t owner_id = target_.resolve(id);
  const Type& owner = *target_.type(owner_id);
  if (!is_aggregate(owner)) return false;
  const std::span<const abi::btf::Member> members = target_.members(owner);
  for (std::uint32_t i = 0; i < members.size(); ++i) {
    TRY(take_step());
    const std::uint32_t bit_offset = member_bit_offset(owner, members[i]);
    if (found.path.size() == CoreSpec::kMaxLength) return fail(E2BIG);
    found.bit_offset += bit_offset;
    found.path.push_back(i);
    const char* const name = target_.name(members[i].name_off);
    if (*name == '\0') {
      std::uint32_t inner = members[i].type;
      if (TRY(find_member(wanted, inner, found))) {
        id = inner;
        return true;
      }
    } else if (std::strcmp(name, wanted.name) == 0) {
      const Type& local_owner = *local_.type(wanted.type_id);
      if (!fields_are_compatible({local_.members(local_owner)[wanted.index].type, members[i].type}))
        return false;
      found.accessors.push_back({owner_id, i, name});
      id = members[i].type;
      return true;
    }
    found.bit_offset -= bit_offset;
    found.path.pop_back();
  }
  return false;
}

// The first one is not an element: there `id` is the type that a pointer of the program's points to.
Result<bool> CoreMatch::find_element(const CoreAccessor& wanted, std::uint32_t& id, CoreSpec& found) {
  if (!found.accessors.empty()) {
    const Type& type = *target_.type(id);
    if (!is(type, Kind::kArray)) return false;
    const abi::btf::Array& array = target_.array(type);
    if (wanted.index >= array.nelems && !found.ends_in_flexible(array)) return false;
    id = target_.resolve(array.type);
  }
  if (found.path.size() == CoreSpec::kMaxLength) return fail(E2BIG);
  found.accessors.push_back({id, wanted.index, nullptr});
  found.path.push_back(wanted.index);
  found.bit_offset += wanted.index * TRY(core_size_of(target_, id)) * 8;
  return true;
}

// Whether a program that reads the one can read the other: sizes and signs are its own business.
bool CoreMatch::fields_are_compatible(Pair pair) const {
  for (;;) {
    pair = resolve(pair);
    const Type &local = *local_.type(pair.local), &target = *target_.type(pair.target);
    if (is_aggregate(local) && is_aggregate(target)) return true;
    if (!kinds_are_compatible(pair)) return false;
    switch (abi::btf::kind(local)) {
      case Kind::kPtr:
      case Kind::kFloat:
        return true;
      case Kind::kFwd:
      case Kind::kEnum:
      case Kind::kEnum64: {
        const std::string_view local_name = essential_name(local_.name(local));
        const std::string_view target_name = essential_name(target_.name(target));
        return local_name.empty() || target_name.empty() || local_name == target_name;
      }
      case Kind::kInt:
        return abi::btf::int_offset(local_.int_word(local)) == 0 &&
               abi::btf::int_offset(target_.int_word(target)) == 0;
      case Kind::kArray:
        pair = {local_.array(local).type, target_.array(target).type};
        continue;
      default:
        return false;
    }
  }
}

}  // namespace portolan::btf
