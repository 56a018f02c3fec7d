// SPDX-License-Identifier: Apache-2.0
#include "verifier/kernel_struct.h"

#include <string_view>

#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

using btf::Kind;

// Of an array of any dimensions.
struct Elements {
  std::uint32_t type;
  std::uint32_t bytes;  // of one
};
Elements innermost(const btf::Btf& types, std::uint32_t id) {
  id = types.resolve(id);
  while (btf::is(*types.type(id), Kind::kArray)) id = types.resolve(types.array(*types.type(id)).type);
  return {id, types.size_of(id).value_or(0)};
}

// A struct's last member may be an array without a length, which goes on behind it.
struct Behind {
  std::uint32_t type;  // 0: a number
  std::uint32_t offset;
};
std::optional<Behind> behind_struct(const btf::Btf& types, const btf::Type& type, std::uint32_t offset) {
  const auto members = types.members(type);
  if (members.empty()) return std::nullopt;
  const abi::btf::Member& last = members.back();
  const btf::Type& array = *types.type(types.resolve(last.type));
  if (!btf::is(array, Kind::kArray) || types.array(array).nelems != 0) return std::nullopt;
  const std::uint32_t begin = btf::member_bit_offset(type, last) / 8;
  if (offset < begin) return std::nullopt;
  const std::uint32_t element = types.resolve(types.array(array).type);
  if (btf::is(*types.type(element), Kind::kInt)) return Behind{0, 0};
  if (!btf::is_aggregate(*types.type(element)) || types.type(element)->size == 0) return std::nullopt;
  return Behind{element, (offset - begin) % types.type(element)->size};
}

Result<StructField> pointer_field(const btf::Btf& types, const btf::Type& pointer, bool is_untrusted) {
  StructField field{true, types.resolve(pointer.type), is_untrusted ? Trust::kUntrusted : Trust::kNone};
  const btf::Type& tag = *types.type(pointer.type);
  if (btf::is(tag, Kind::kTypeTag) && !abi::btf::kind_flag(tag)) {
    const std::string_view name = types.name(tag);
    if (name == "user") field.trust = Trust::kUser;
    if (name == "percpu") field.trust = Trust::kPercpu;
  }
  if (!btf::is_aggregate(*types.type(field.target))) return StructField{true, 0, Trust::kUntrusted};
  return field;
}

}  // namespace

Result<StructField> find_struct_field(const btf::Btf& types, std::uint32_t id, std::uint32_t offset,
                                      std::uint32_t size, bool is_untrusted, btf::Log* log) {
  // Each turn goes into a member: types that contain themselves have not passed the check of the BTF.
  for (;;) {
    const btf::Type& type = *types.type(id);
    const char* const name = type.name_off == 0 ? "(anon)" : types.name(type);
    if (!btf::is_aggregate(type)) return refuse(log, EINVAL, "Type '{}' is not a struct", name);
    const auto members = types.members(type);
    is_untrusted |= btf::is(type, Kind::kUnion) && members.size() != 1;
    if (std::uint64_t{offset} + size > type.size) {
      const auto behind = behind_struct(types, type, offset);
      if (!behind)
        return refuse(log, EACCES, "access beyond struct {} at off {} size {}", name, offset, size);
      if (behind->type == 0) return StructField{};
      id = behind->type;
      offset = behind->offset;
      continue;
    }
    bool goes_in = false;
    for (const abi::btf::Member& member : members) {
      const std::uint32_t bit = btf::member_bit_offset(type, member), begin = bit / 8;
      if (offset + size <= begin) break;
      if (const std::uint32_t bits = btf::member_bitfield_size(type, member); bits != 0) {
        if (offset <= begin && (bit + bits + 7) / 8 <= offset + size) return StructField{};
        continue;
      }
      if (offset < begin) break;
      const auto sized = types.sized(member.type);
      if (!sized) return refuse(log, EFAULT, "field {} doesn't have size", types.name(member.name_off));
      const std::uint32_t end = begin + sized->size;
      if (offset >= end) continue;
      std::uint32_t field_begin = begin, field_bytes = sized->size, field = types.resolve(member.type);
      if (btf::is(*types.type(field), Kind::kArray)) {
        const Elements elements = innermost(types, field);
        if (elements.bytes == 0) continue;
        field = elements.type;
        field_bytes = elements.bytes;
        field_begin += (offset - begin) / field_bytes * field_bytes;
      }
      const btf::Type& inner = *types.type(field);
      if (btf::is_aggregate(inner)) {
        id = field;
        offset -= field_begin;
        goes_in = true;
        break;
      }
      if (btf::is(inner, Kind::kPtr)) {
        if (field_bytes != size || offset != field_begin)
          return refuse(log, EACCES,
                        "cannot access ptr member {} with moff {} in struct {} with off {} size {}",
                        types.name(member.name_off), field_begin, name, offset, size);
        return pointer_field(types, inner, is_untrusted);
      }
      if (offset + size > end && !is_untrusted)
        return refuse(log, EACCES,
                      "access beyond the end of member {} (mend:{}) in struct {} with off {} size {}",
                      types.name(member.name_off), end, name, offset, size);
      return StructField{};
    }
    if (!goes_in) return refuse(log, EINVAL, "struct {} doesn't have field at offset {}", name, offset);
  }
}

bool has_struct_at(const btf::Btf& types, std::uint32_t id, std::uint32_t offset, std::uint32_t wanted) {
  for (;;) {
    if (id == wanted && offset == 0) return true;
    const btf::Type& type = *types.type(id);
    if (!btf::is_aggregate(type)) return false;
    std::uint32_t next = 0, rest = 0;
    for (const abi::btf::Member& member : types.members(type)) {
      const std::uint32_t begin = btf::member_bit_offset(type, member) / 8;
      const auto sized = types.sized(member.type);
      if (!sized || offset < begin || offset >= begin + sized->size) continue;
      const Elements elements = innermost(types, member.type);
      if (elements.bytes == 0) return false;
      next = elements.type;
      rest = (offset - begin) % elements.bytes;
      break;
    }
    if (next == 0) return false;
    id = next;
    offset = rest;
  }
}

}  // namespace portolan::verifier
