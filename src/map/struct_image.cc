// SPDX-License-Identifier: Apache-2.0
#include "map/struct_image.h"

#include <cstring>
#include <optional>

#include "map/kernel_btf.h"
#include "sync/atomic.h"

namespace portolan::map {
namespace {

// There are a hundred thousand types to look through: each struct is looked for once in a process.
Result<std::uint32_t> id_of(const char* name) {
  struct Known {
    std::string_view name;
    sync::Atomic<std::uint32_t> id;
  };
  static Known known[] = {{"bpf_iter_meta", {}}, {"seq_file", {}},     {"bpf_map", {}},
                          {"bpf_prog", {}},      {"bpf_prog_aux", {}}, {"bpf_link", {}}};
  Known* found = nullptr;
  for (Known& one : known)
    if (one.name == name) found = &one;
  if (found != nullptr && found->id.load_relaxed() != 0) return found->id.load_relaxed();
  const btf::Btf& types = *TRY(kernel_btf());
  const std::uint32_t id = TRY(types.find_by_name(name, btf::Kind::kStruct));
  if (found != nullptr) found->id.store_relaxed(id);
  return id;
}

struct Place {
  std::uint32_t offset, size;
};
// Members of members without a name are members, too.
std::optional<Place> find_member(const btf::Btf& types, std::uint32_t id, std::string_view name) {
  const btf::Type& type = *types.type(id);
  for (const abi::btf::Member& member : types.members(type)) {
    const std::uint32_t offset = btf::member_bit_offset(type, member) / 8;
    const std::uint32_t inner = types.resolve(member.type);
    if (member.name_off == 0 && btf::is_aggregate(*types.type(inner))) {
      if (const auto within = find_member(types, inner, name))
        return Place{offset + within->offset, within->size};
    } else if (types.name(member.name_off) == name && btf::member_bitfield_size(type, member) == 0) {
      return Place{offset, types.size_of(member.type).value_or(0)};
    }
  }
  return {};
}

}  // namespace

Result<StructImage> StructImage::create(const char* name) {
  const btf::Btf& types = *TRY(kernel_btf());
  const std::uint32_t id = TRY(id_of(name));
  return StructImage(types, id, types.type(id)->size);
}

void StructImage::set(std::string_view member, ConstBytes from) {
  const auto place = find_member(*types_, id_, member);
  if (!place || place->offset + place->size > bytes_.size() * 8) return;
  std::memcpy(std::as_writable_bytes(std::span(bytes_)).data() + place->offset, from.data(),
              std::min<std::size_t>(from.size(), place->size));
}

}  // namespace portolan::map
