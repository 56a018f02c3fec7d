// SPDX-License-Identifier: Apache-2.0
#include "btf/btf.h"

#include <algorithm>
#include <bit>

#include "btf/checker.h"

namespace portolan::btf {

Result<Btf> Btf::parse(ConstBytes blob, Log* log) {
  Btf btf;
  TRY(Checker(btf, blob, log).run());
  return btf;
}

const Type* Btf::type(std::uint32_t id) const {
  if (id == 0) return &kVoid;
  if (id >= offsets_.size()) return nullptr;
  return reinterpret_cast<const Type*>(types_.data() + offsets_[id]);
}

std::optional<Btf::Sized> Btf::sized(std::uint32_t id) const {
  const auto own_size = [this](std::uint32_t of, const Type& type) -> std::optional<Sized> {
    if ((traits(type) & kSized) != 0) return Sized{of, type.size};
    if (is(type, Kind::kArray)) return Sized{of, resolved_sizes_[of]};
    if (is(type, Kind::kPtr)) return Sized{of, sizeof(std::uint64_t)};
    return std::nullopt;
  };
  const Type* first = type(id);
  if (first == nullptr) return std::nullopt;
  if (const auto size = own_size(id, *first)) return size;
  if (!is_modifier(*first) && !is(*first, Kind::kVar)) return std::nullopt;
  const std::uint32_t target = resolved_ids_[id];
  return own_size(target, *type(target));
}

Result<std::uint32_t> Btf::size_of(std::uint32_t id) const {
  const auto found = sized(id);
  if (!found) return fail(EINVAL);
  return found->size;
}

std::uint32_t Btf::resolve(std::uint32_t id) const {
  const Type* at = type(id);
  while (is_modifier(*at)) {
    id = at->type;
    at = type(id);
  }
  return id;
}

Result<std::uint32_t> Btf::find_by_name(std::string_view wanted, Kind kind) const {
  for (std::uint32_t id = 1; id < type_count(); ++id)
    if (is(*type(id), kind) && wanted == name(*type(id))) return id;
  return fail(ENOENT);
}

bool Btf::is_plain_int(const Type& type, std::uint32_t size) const {
  if (!is(type, Kind::kInt)) return false;
  const std::uint32_t word = int_word(type);
  const std::uint32_t bits = abi::btf::int_bits(word);
  if (bits % 8 != 0 || abi::btf::int_offset(word) != 0) return false;
  const std::uint32_t bytes = bits / 8;
  return bytes <= 16 && std::has_single_bit(bytes) && (size == 0 || size == bytes);
}

const StructMeta* Btf::struct_meta(std::uint32_t id) const {
  const auto found = std::ranges::lower_bound(struct_metas_, id, {}, &StructMeta::id);
  return found != struct_metas_.end() && found->id == id ? &*found : nullptr;
}

}  // namespace portolan::btf
