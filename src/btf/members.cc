// SPDX-License-Identifier: Apache-2.0
// Whether members lie within their structs.
#include <algorithm>

#include "btf/checker.h"

namespace portolan::btf {

using abi::btf::member_bit_offset;
using abi::btf::member_bitfield_size;

Result<void> Checker::check_member_fits(const Type& owner, const Member& member) {
  const Type& type = *btf_.type(member.type);
  const auto check = abi::btf::kind_flag(owner) ? ops(type).check_bitfield : ops(type).check_member;
  return (this->*check)(owner, member, type);
}

Result<void> Checker::whole_bytes_fit(const Type& owner, const Member& member, std::uint32_t size) {
  if (member.offset % 8 != 0) return bad_member(owner, member, "Member is not byte aligned");
  // check_member_meta has seen to it that no member begins beyond the end.
  if (owner.size - member.offset / 8 < size) return bad_member(owner, member, "Member exceeds struct_size");
  return {};
}

Result<void> Checker::bits_fit(const Type& owner, const Member& member, std::uint32_t bit_offset,
                               std::uint32_t bits) {
  const std::uint32_t first_byte = bit_offset / 8;
  const std::uint32_t touched = bits + bit_offset % 8;
  if (touched > 128) return bad_member(owner, member, "nr_copy_bits exceeds 128");
  if (owner.size < first_byte || owner.size - first_byte < (touched + 7) / 8)
    return bad_member(owner, member, "Member exceeds struct_size");
  return {};
}

Result<void> Checker::int_member(const Type& owner, const Member& member, const Type& type) {
  const std::uint32_t word = btf_.int_word(type);
  const std::uint32_t int_offset = abi::btf::int_offset(word);
  if (UINT32_MAX - member.offset < int_offset)
    return bad_member(owner, member, "bits_offset exceeds U32_MAX");
  return bits_fit(owner, member, member.offset + int_offset, abi::btf::int_bits(word));
}

Result<void> Checker::int_bitfield(const Type& owner, const Member& member, const Type& type) {
  if (!btf_.is_plain_int(type)) return bad_member(owner, member, "Invalid member base type");
  const std::uint32_t offset = member_bit_offset(member.offset);
  const std::uint32_t int_bits = abi::btf::int_bits(btf_.int_word(type));
  std::uint32_t bits = member_bitfield_size(member.offset);
  if (bits == 0) {
    if (offset % 8 != 0) return bad_member(owner, member, "Invalid member offset");
    bits = int_bits;
  } else if (bits > int_bits) {
    return bad_member(owner, member, "Invalid member bitfield_size");
  }
  return bits_fit(owner, member, offset, bits);
}

Result<void> Checker::pointer_member(const Type& owner, const Member& member, const Type&) {
  return whole_bytes_fit(owner, member, sizeof(std::uint64_t));
}

Result<void> Checker::array_member(const Type& owner, const Member& member, const Type&) {
  return whole_bytes_fit(owner, member, btf_.resolved_sizes_[member.type]);
}

Result<void> Checker::sized_member(const Type& owner, const Member& member, const Type& type) {
  return whole_bytes_fit(owner, member, type.size);
}

Result<void> Checker::enum_bitfield(const Type& owner, const Member& member, const Type&) {
  constexpr std::uint32_t kIntBits = 32;
  const std::uint32_t offset = member_bit_offset(member.offset);
  std::uint32_t bits = member_bitfield_size(member.offset);
  if (bits == 0) {
    if (offset % 8 != 0) return bad_member(owner, member, "Member is not byte aligned");
    bits = kIntBits;
  } else if (bits > kIntBits) {
    return bad_member(owner, member, "Invalid member bitfield_size");
  }
  if (owner.size < (offset + bits + 7) / 8) return bad_member(owner, member, "Member exceeds struct_size");
  return {};
}

Result<void> Checker::float_member(const Type& owner, const Member& member, const Type& type) {
  const std::uint32_t alignment_bits = std::min<std::uint32_t>(sizeof(std::uint64_t), type.size) * 8;
  if (member.offset % alignment_bits != 0) return bad_member(owner, member, "Member is not properly aligned");
  if (std::uint64_t{member.offset / 8} + type.size > owner.size)
    return bad_member(owner, member, "Member exceeds struct_size");
  return {};
}

Result<void> Checker::modified_member(const Type& owner, const Member& member, const Type&) {
  const auto sized = btf_.sized(member.type);
  if (!sized) return bad_member(owner, member, "Invalid member");
  const Type& target = *btf_.type(sized->id);
  const Member same{member.name_off, sized->id, member.offset};
  return (this->*ops(target).check_member)(owner, same, target);
}

Result<void> Checker::modified_bitfield(const Type& owner, const Member& member, const Type&) {
  const auto sized = btf_.sized(member.type);
  if (!sized) return bad_member(owner, member, "Invalid member");
  const Type& target = *btf_.type(sized->id);
  const Member same{member.name_off, sized->id, member.offset};
  return (this->*ops(target).check_bitfield)(owner, same, target);
}

Result<void> Checker::no_bitfield(const Type& owner, const Member& member, const Type& type) {
  if (member_bitfield_size(member.offset) != 0)
    return bad_member(owner, member, "Invalid member bitfield_size");
  return (this->*ops(type).check_member)(owner, member, type);
}

Result<void> Checker::never_member(const Type& owner, const Member&, const Type&) {
  return bad_basic(owner, "Unsupported check_member");
}

Result<void> Checker::never_bitfield(const Type& owner, const Member&, const Type&) {
  return bad_basic(owner, "Unsupported check_kflag_member");
}

}  // namespace portolan::btf
