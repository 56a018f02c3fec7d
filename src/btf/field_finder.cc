// SPDX-License-Identifier: Apache-2.0
#include "btf/field_finder.h"

#include <algorithm>
#include <cstring>

#include "btf/special_fields.h"

namespace portolan::btf {
namespace {

using abi::btf::Member;
using abi::btf::VarSecinfo;

struct FieldTraits {
  FieldKind kind;
  const char* name;
  std::uint32_t size;
  std::uint32_t alignment;
  How how;
};
constexpr FieldTraits kTraits[kFieldKinds] = {
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) \
  {FieldKind::kind, name, size, alignment, How::how},
#include "btf/field_kinds.def"
#undef PORTOLAN_BTF_FIELD
};
constexpr const FieldTraits& traits_of(FieldKind kind) { return kTraits[static_cast<std::size_t>(kind)]; }

// Fields that may be elements of an array.
constexpr std::uint32_t kRepeatable =
    kKptrFields | bit(FieldKind::kUptr) | bit(FieldKind::kListHead) | bit(FieldKind::kRbRoot);

}  // namespace

Result<std::optional<Field>> find_kptr(const Btf& btf, const Type& declared, std::uint32_t mask) {
  const Type* pointer = &declared;
  if (is(*pointer, Kind::kVolatile)) pointer = btf.type(pointer->type);
  if (!is(*pointer, Kind::kPtr)) return std::nullopt;
  const Type& tag = *btf.type(pointer->type);
  if (!is(tag, Kind::kTypeTag) || abi::btf::kind_flag(tag)) return std::nullopt;
  if (is(*btf.type(tag.type), Kind::kTypeTag)) return fail(EINVAL);
  const auto traits = std::ranges::find_if(kTraits, [&](const FieldTraits& each) {
    return each.how == How::kTagged && std::strcmp(each.name, btf.name(tag)) == 0;
  });
  if (traits == std::end(kTraits)) return fail(EINVAL);
  if ((mask & bit(traits->kind)) == 0) return std::nullopt;
  const std::uint32_t target = btf.resolve(tag.type);
  if (!is(*btf.type(target), Kind::kStruct)) return fail(EINVAL);
  return Field{traits->kind, 0, traits->size, target};
}

Result<std::vector<FoundField>> FieldFinder::run(const Type& type) {
  if (is(type, Kind::kStruct))
    TRY(search_struct(type, 0));
  else if (is(type, Kind::kDatasec))
    TRY(search_section(type));
  else
    return fail(EINVAL);
  return std::move(found_);
}

Result<void> FieldFinder::search_struct(const Type& type, std::uint32_t depth) {
  std::uint32_t seen = 0;
  std::int32_t index = 0;
  for (const Member& member : btf_.members(type)) {
    const std::uint32_t bits = member_bit_offset(type, member);
    if (bits % 8 != 0) return fail(EINVAL);
    TRY(search_place({type, index++, bits / 8, 0, depth}, btf_.type(member.type), seen));
  }
  return {};
}

Result<void> FieldFinder::search_section(const Type& type) {
  std::uint32_t seen = 0;
  for (const VarSecinfo& entry : btf_.variables(type)) {
    const Type& var = *btf_.type(entry.type);
    TRY(search_place({var, -1, entry.offset, entry.size, 0}, btf_.type(var.type), seen));
  }
  return {};
}

Result<void> FieldFinder::search_place(const Place& place, const Type* type, std::uint32_t& seen) {
  std::uint32_t count = 1;
  for (std::uint32_t dimensions = 0; is(*type, Kind::kArray); ++dimensions) {
    if (dimensions + 1 == kMaxResolveDepth) return fail(E2BIG);
    const abi::btf::Array& array = btf_.array(*type);
    count *= array.nelems;
    type = btf_.type(array.type);
  }
  if (count == 0) return {};

  const auto found = TRY(classify(*type, seen));
  if (!found) return is(*type, Kind::kStruct) ? search_nested(place, *type, count) : Result<void>{};
  if (place.size != 0 && place.size != found->size * count) return {};
  if (place.offset % found->alignment != 0) return {};
  const auto field = TRY(match(place, *type, *found));
  if (!field) return {};
  if (found_.size() == kMaxFields) return fail(E2BIG);
  const std::size_t first = found_.size();
  found_.push_back(*field);
  return repeat(first, count, found->size);
}

Result<void> FieldFinder::search_nested(const Place& place, const Type& type, std::uint32_t count) {
  if (place.size != 0 && place.size != type.size * count) return {};
  if (place.depth + 1 >= kMaxResolveDepth) return fail(E2BIG);
  const std::size_t first = found_.size();
  const auto known = barren_.find(&type);
  if (known != barren_.end() && place.depth <= known->second) return {};
  TRY(search_struct(type, place.depth + 1));
  if (found_.size() == first) barren_[&type] = place.depth;
  for (std::size_t i = first; i < found_.size(); ++i) found_[i].field.offset += place.offset;
  return repeat(first, count, type.size);
}

Result<void> FieldFinder::repeat(std::size_t first, std::uint32_t count, std::uint32_t element_size) {
  const std::size_t fields = found_.size() - first;
  if (fields == 0 || count <= 1) return {};
  for (std::size_t i = first; i < first + fields; ++i)
    if ((bit(found_[i].field.kind) & kRepeatable) == 0) return fail(EINVAL);
  if (fields * count > kMaxFields - first) return fail(E2BIG);
  for (std::uint32_t element = 1; element < count; ++element)
    for (std::size_t i = 0; i < fields; ++i) {
      FoundField copy = found_[first + i];
      copy.field.offset += element * element_size;
      found_.push_back(copy);
    }
  return {};
}

// What a type's name says that it is, before anything else of it is looked at. Any type that is no struct may
// turn out to be a kptr.
Result<std::optional<FieldFinder::Class>> FieldFinder::classify(const Type& type, std::uint32_t& seen) const {
  const char* name = btf_.name(type);
  for (const FieldTraits& each : kTraits) {
    if (each.how == How::kTagged || (mask_ & bit(each.kind)) == 0 || std::strcmp(each.name, name) != 0)
      continue;
    if (each.how == How::kUniqueStruct) {
      if ((seen & bit(each.kind)) != 0) return fail(E2BIG);
      seen |= bit(each.kind);
    }
    return Class{each.kind, each.size, each.alignment};
  }
  if ((mask_ & (kKptrFields | bit(FieldKind::kUptr))) == 0 || is(type, Kind::kStruct)) return std::nullopt;
  const FieldTraits& kptr = traits_of(FieldKind::kKptr);
  return Class{kptr.kind, kptr.size, kptr.alignment};
}

Result<std::optional<FoundField>> FieldFinder::match(const Place& place, const Type& type,
                                                     const Class& found) const {
  if (traits_of(found.kind).how == How::kTagged) {
    std::optional<Field> kptr = TRY(find_kptr(btf_, type, mask_));
    if (!kptr) return std::nullopt;
    kptr->offset = place.offset;
    return FoundField{*kptr, nullptr};
  }
  if (!is(type, Kind::kStruct) || type.size != found.size) return std::nullopt;
  if (traits_of(found.kind).how == How::kRoot) return match_root(place, type, found);
  return FoundField{{found.kind, place.offset, found.size, 0}, nullptr};
}

Result<std::optional<FoundField>> FieldFinder::match_root(const Place& place, const Type&,
                                                          const Class& found) const {
  const std::string_view value = TRY(contains_tag(place));
  const std::size_t colon = value.find(':');
  if (colon == value.npos) return fail(EINVAL);
  const std::uint32_t owned = TRY(btf_.find_by_name(value.substr(0, colon), Kind::kStruct));
  const char* node_name = value.data() + colon + 1;
  if (*node_name == '\0') return fail(EINVAL);
  return FoundField{{found.kind, place.offset, found.size, owned}, node_name};
}

// The rest of the one declaration tag of that place that begins so; EINVAL: none, or more than one.
Result<std::string_view> FieldFinder::contains_tag(const Place& place) const {
  constexpr std::string_view kPrefix = "contains:";
  std::optional<std::string_view> value;
  for (std::uint32_t id = 1; id < btf_.type_count(); ++id) {
    const Type& tag = *btf_.type(id);
    if (!is(tag, Kind::kDeclTag) || btf_.type(tag.type) != &place.owner) continue;
    if (btf_.decl_tag(tag).component_idx != place.component) continue;
    const std::string_view name = btf_.name(tag);
    if (!name.starts_with(kPrefix)) continue;
    if (value) return fail(EINVAL);
    value = name.substr(kPrefix.size());
  }
  if (!value) return fail(EINVAL);
  return *value;
}

}  // namespace portolan::btf
