// SPDX-License-Identifier: Apache-2.0
// Types that list members, enumerators or variables, by themselves.
#include <bit>

#include "btf/checker.h"
#include "btf/name.h"

namespace portolan::btf {

using abi::btf::kind_flag;
using abi::btf::kMaxType;
using abi::btf::vlen;

Result<std::uint32_t> Checker::struct_meta(const Type& type, std::uint32_t left) {
  const auto needed = static_cast<std::uint32_t>(vlen(type) * sizeof(Member));
  TRY(check_room(type, left, needed));
  if (type.name_off != 0 && !is_identifier(btf_.name(type))) return bad_type(type, "Invalid name");
  log_type(type);
  std::uint32_t last_offset = 0;
  for (const Member& member : btf_.members(type)) {
    TRY(check_member_meta(type, member, last_offset));
    log_member(type, member);
    last_offset = member_bit_offset(type, member);
  }
  return needed;
}

Result<void> Checker::check_member_meta(const Type& owner, const Member& member, std::uint32_t last_offset) {
  if (!name_offset_is_valid(member.name_off))
    return bad_member(owner, member, "Invalid member name_offset:{}", member.name_off);
  if (member.name_off != 0 && !is_identifier(btf_.name(member.name_off)))
    return bad_member(owner, member, "Invalid name");
  if (member.type == 0 || member.type > kMaxType) return bad_member(owner, member, "Invalid type_id");
  const std::uint32_t offset = member_bit_offset(owner, member);
  if (is(owner, Kind::kUnion) && offset != 0) return bad_member(owner, member, "Invalid member bits_offset");
  // Equal offsets are fine: the last member may be an array of no elements.
  if (offset < last_offset) return bad_member(owner, member, "Invalid member bits_offset");
  if (offset / 8 + (offset % 8 != 0) > owner.size)
    return bad_member(owner, member, "Member bits_offset exceeds its struct size");
  return {};
}

Result<void> Checker::check_enum_head(const Type& type, std::uint32_t left, std::uint64_t needed) {
  TRY(check_room(type, left, needed));
  if (type.size > 8 || !std::has_single_bit(type.size)) return bad_type(type, "Unexpected size");
  if (type.name_off != 0 && !is_identifier(btf_.name(type))) return bad_type(type, "Invalid name");
  log_type(type);
  return {};
}

Result<void> Checker::check_enumerator_name(const Type& type, std::uint32_t name_off) {
  if (!name_offset_is_valid(name_off)) return bad("\tInvalid name_offset:{}", name_off);
  if (name_off == 0 || !is_identifier(btf_.name(name_off))) return bad_type(type, "Invalid name");
  return {};
}

Result<std::uint32_t> Checker::enum_meta(const Type& type, std::uint32_t left) {
  const auto needed = static_cast<std::uint32_t>(vlen(type) * sizeof(abi::btf::Enum));
  TRY(check_enum_head(type, left, needed));
  for (const abi::btf::Enum& item : btf_.enums(type)) {
    TRY(check_enumerator_name(type, item.name_off));
    const char* name = btf_.name(item.name_off);
    if (kind_flag(type))
      print("\t{} val={}\n", name, item.val);
    else
      print("\t{} val={}\n", name, static_cast<std::uint32_t>(item.val));
  }
  return needed;
}

Result<std::uint32_t> Checker::enum64_meta(const Type& type, std::uint32_t left) {
  const auto needed = static_cast<std::uint32_t>(vlen(type) * sizeof(abi::btf::Enum64));
  TRY(check_enum_head(type, left, needed));
  for (const abi::btf::Enum64& item : btf_.enums64(type)) {
    TRY(check_enumerator_name(type, item.name_off));
    const char* name = btf_.name(item.name_off);
    const std::uint64_t value = std::uint64_t{item.val_hi32} << 32 | item.val_lo32;
    if (kind_flag(type))
      print("\t{} val={}\n", name, static_cast<std::int64_t>(value));
    else
      print("\t{} val={}\n", name, value);
  }
  return needed;
}

Result<std::uint32_t> Checker::datasec_meta(const Type& type, std::uint32_t left) {
  const auto needed = static_cast<std::uint32_t>(vlen(type) * sizeof(VarSecinfo));
  TRY(check_room(type, left, needed));
  if (type.size == 0) return bad_type(type, "size == 0");
  TRY(check_no_kind_flag(type));
  if (type.name_off == 0 || !is_section_name(btf_.name(type))) return bad_type(type, "Invalid name");
  log_type(type);
  std::uint32_t last_end = 0;
  std::uint64_t sum = 0;
  for (const VarSecinfo& variable : btf_.variables(type)) {
    TRY(check_variable_meta(type, variable, last_end));
    log_variable(type, variable);
    last_end = variable.offset + variable.size;
    sum += variable.size;
  }
  if (type.size < sum) return bad_type(type, "Invalid btf_info size");
  return needed;
}

Result<void> Checker::check_variable_meta(const Type& section, const VarSecinfo& variable,
                                          std::uint32_t last_end) {
  if (variable.type == 0 || variable.type > kMaxType)
    return bad_variable(section, variable, "Invalid type_id");
  if (variable.offset < last_end || variable.offset >= section.size)
    return bad_variable(section, variable, "Invalid offset");
  if (variable.size == 0 || variable.size > section.size)
    return bad_variable(section, variable, "Invalid size");
  // In 32 bits, as in the kernel: a sum that wraps is found by the sum of all sizes.
  if (variable.offset + variable.size > section.size)
    return bad_variable(section, variable, "Invalid offset+size");
  return {};
}

}  // namespace portolan::btf
