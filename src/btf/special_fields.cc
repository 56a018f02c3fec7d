// SPDX-License-Identifier: Apache-2.0
#include "btf/special_fields.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "btf/field_finder.h"

namespace portolan::btf {
namespace {

using abi::btf::Member;

constexpr std::uint32_t kRoots = bit(FieldKind::kListHead) | bit(FieldKind::kRbRoot);
constexpr std::uint32_t kNodes = bit(FieldKind::kListNode) | bit(FieldKind::kRbNode);
constexpr std::uint32_t kLocks = bit(FieldKind::kSpinLock) | bit(FieldKind::kResSpinLock);
constexpr std::uint32_t kAllocatedFields = kLocks | kRoots | kNodes | bit(FieldKind::kRefcount) | kKptrFields;

// Structs that the kernel has too, as far as they are known here: those of special fields.
bool is_of_the_kernel(const Btf& btf, std::uint32_t id) {
  static constexpr const char* kNames[] = {
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) How::how == How::kTagged ? "" : name,
#include "btf/field_kinds.def"
#undef PORTOLAN_BTF_FIELD
  };
  const std::string_view name = btf.name(*btf.type(id));
  return !name.empty() && std::ranges::find(kNames, name) != std::end(kNames);
}

// The member of the owned struct by which it hangs in the list or tree.
Result<void> check_node(const Btf& btf, const FoundField& root) {
  const char* node_type =
      root.field.kind == FieldKind::kListHead ? name_of(FieldKind::kListNode) : name_of(FieldKind::kRbNode);
  constexpr std::uint32_t kNodeAlignmentBits = 64;
  bool found = false;
  for (const Member& member : btf.members(*btf.type(root.field.type_id))) {
    if (std::strcmp(root.node_name, btf.name(member.name_off)) != 0) continue;
    if (found) return fail(EINVAL);
    const Type& type = *btf.type(member.type);
    if (!is(type, Kind::kStruct) || std::strcmp(node_type, btf.name(type)) != 0) return fail(EINVAL);
    if (member_bit_offset(type, member) % kNodeAlignmentBits != 0) return fail(EINVAL);
    found = true;
  }
  if (!found) return fail(ENOENT);
  return {};
}

Result<void> check_combination(std::uint32_t mask) {
  const auto has = [mask](std::uint32_t bits) { return (mask & bits) != 0; };
  if ((mask & kLocks) == kLocks) return fail(EINVAL);
  if (has(kRoots) && !has(kLocks)) return fail(EINVAL);
  // In a list and in a tree at once: somebody must count who owns it.
  if ((mask & kNodes) == kNodes && !has(bit(FieldKind::kRefcount))) return fail(EINVAL);
  return {};
}

}  // namespace

const char* name_of(FieldKind kind) {
  static constexpr const char* kNames[] = {
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) name,
#include "btf/field_kinds.def"
#undef PORTOLAN_BTF_FIELD
  };
  return kNames[static_cast<std::size_t>(kind)];
}

std::uint32_t mask_of(std::span<const Field> fields) {
  std::uint32_t mask = 0;
  for (const Field& field : fields) mask |= bit(field.kind);
  return mask;
}

Result<std::vector<Field>> find_fields(const Btf& btf, const Type& type, std::uint32_t mask,
                                       std::uint32_t value_size) {
  const std::vector<FoundField> found = TRY(FieldFinder(btf, mask).run(type));
  std::vector<Field> fields;
  std::uint32_t next_offset = 0;
  for (const FoundField& each : found) {
    const Field& field = each.field;
    if (field.offset + field.size > value_size) return fail(EFAULT);
    if (field.offset < next_offset) return fail(EEXIST);
    next_offset = field.offset + field.size;
    // The kernel does not know how to drop a reference to one of these.
    if (field.kind == FieldKind::kKptr && is_of_the_kernel(btf, field.type_id)) return fail(ENOENT);
    if ((bit(field.kind) & kRoots) != 0) TRY(check_node(btf, each));
    fields.push_back(field);
  }
  TRY(check_combination(mask_of(fields)));
  return fields;
}

Result<void> check_ownership(const Btf& btf, std::span<const Field> fields) {
  const std::uint32_t mask = mask_of(fields);
  for (const Field& field : fields) {
    if (field.kind == FieldKind::kUptr) {
      const std::uint32_t size = btf.type(field.type_id)->size;
      if (size == 0 || is_of_the_kernel(btf, field.type_id)) return fail(EINVAL);
      if (size > kPageSize) return fail(E2BIG);
    }
    if ((bit(field.kind) & kRoots) == 0) continue;
    const StructMeta* owned = btf.struct_meta(field.type_id);
    if (owned == nullptr) return fail(EFAULT);
    // What is both owned and an owner may not own owners: so no ring of them can come to be.
    if ((mask & kNodes) != 0 && (mask_of(owned->fields) & kRoots) != 0) return fail(ELOOP);
  }
  return {};
}

Result<std::vector<StructMeta>> find_struct_metas(const Btf& btf) {
  std::vector<bool> is_special(btf.type_count());
  bool any = false;
  for (const FieldKind kind : {FieldKind::kSpinLock, FieldKind::kListHead, FieldKind::kListNode,
                               FieldKind::kRbRoot, FieldKind::kRbNode, FieldKind::kRefcount})
    if (const auto id = btf.find_by_name(name_of(kind), Kind::kStruct)) any = is_special[*id] = true;
  for (std::uint32_t id = 1; id < btf.type_count(); ++id) {
    const auto kptr = find_kptr(btf, *btf.type(id), kKptrFields);
    if (kptr && *kptr) any = is_special[id] = true;
  }
  std::vector<StructMeta> metas;
  if (!any) return metas;
  for (std::uint32_t id = 1; id < btf.type_count(); ++id) {
    const Type& type = *btf.type(id);
    if (!is(type, Kind::kStruct)) continue;
    const auto special = [&](const Member& member) { return is_special[member.type]; };
    if (!std::ranges::any_of(btf.members(type), special)) continue;
    std::vector<Field> fields = TRY(find_fields(btf, type, kAllocatedFields, type.size));
    // It has such a member, but in a place or of a size that it cannot have.
    if (fields.empty()) return fail(EFAULT);
    metas.push_back({id, std::move(fields)});
  }
  return metas;
}

}  // namespace portolan::btf
