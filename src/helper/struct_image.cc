// SPDX-License-Identifier: Apache-2.0
#include "helper/struct_image.h"

#include <cstring>
#include <optional>

#include "helper/kernel_btf.h"
#include "helper/memory.h"

namespace portolan::helper {
namespace {

struct Place {
  std::uint32_t first_bit, bits;
};
// Members of members without a name are members, too.
std::optional<Place> find_member(const btf::Btf& types, std::uint32_t id, std::string_view name) {
  const btf::Type& type = *types.type(id);
  for (const abi::btf::Member& member : types.members(type)) {
    const std::uint32_t first_bit = btf::member_bit_offset(type, member);
    const std::uint32_t inner = types.resolve(member.type);
    if (member.name_off == 0 && btf::is_aggregate(*types.type(inner))) {
      if (const auto within = find_member(types, inner, name))
        return Place{first_bit + within->first_bit, within->bits};
    } else if (types.name(member.name_off) == name) {
      const std::uint32_t bits = btf::member_bitfield_size(type, member);
      return Place{first_bit, bits != 0 ? bits : types.size_of(member.type).value_or(0) * 8};
    }
  }
  return {};
}

}  // namespace

Result<std::uint64_t> read_member(object::Runtime& runtime, const char* struct_name, std::string_view member,
                                  std::uint64_t address) {
  const btf::Btf& types = *TRY(kernel_btf(runtime));
  const auto place = find_member(types, TRY(kernel_struct(runtime, struct_name)), member);
  std::uint64_t value = 0;
  if (!place || place->first_bit % 8 != 0 || place->bits % 8 != 0 || place->bits > 64) return fail(ENOENT);
  if (!portolan_fault_copy(&value, pointer(address + place->first_bit / 8), place->bits / 8))
    return fail(EFAULT);
  return value;
}

Result<StructImage> StructImage::create(object::Runtime& runtime, const char* name) {
  const btf::Btf& types = *TRY(kernel_btf(runtime));
  const std::uint32_t id = TRY(kernel_struct(runtime, name));
  return StructImage(types, id, types.type(id)->size);
}

void StructImage::set(std::string_view member, ConstBytes from) {
  const auto place = find_member(*types_, id_, member);
  if (!place || place->first_bit % 8 != 0 || place->first_bit + place->bits > bytes_.size() * 64) return;
  std::memcpy(std::as_writable_bytes(std::span(bytes_)).data() + place->first_bit / 8, from.data(),
              std::min<std::size_t>(from.size(), place->bits / 8));
}

void StructImage::set(std::string_view member, std::uint64_t value) {
  const auto place = find_member(*types_, id_, member);
  const bool is_bitfield = place && place->bits % 8 != 0;
  if (!is_bitfield) return set(member, std::as_bytes(std::span(&value, 1)));
  const std::uint32_t shift = place->first_bit % 64;
  if (place->bits > 64 - shift || place->first_bit / 64 >= bytes_.size()) return;
  const std::uint64_t mask = ((std::uint64_t{1} << place->bits) - 1) << shift;
  std::uint64_t& word = bytes_[place->first_bit / 64];
  word = (word & ~mask) | (value << shift & mask);
}

}  // namespace portolan::helper
