// SPDX-License-Identifier: Apache-2.0
#include "btf/map_check.h"

#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "btf/special_fields.h"

namespace portolan::btf {
namespace {

using abi::MapType;

template <class... Types>
constexpr std::uint64_t maps(Types... types) {
  return (std::uint64_t{0} | ... | (std::uint64_t{1} << static_cast<std::uint32_t>(types)));
}

// Which maps may hold which fields: the last column of field_kinds.def.
constexpr std::uint64_t kStorageMaps =
    maps(MapType::kSkStorage, MapType::kInodeStorage, MapType::kTaskStorage, MapType::kCgrpStorage);
constexpr std::uint64_t kLockMaps =
    maps(MapType::kHash, MapType::kArray, MapType::kCgroupStorage, MapType::kRhash) | kStorageMaps;
constexpr std::uint64_t kTimerMaps =
    maps(MapType::kHash, MapType::kLruHash, MapType::kArray, MapType::kRhash);
constexpr std::uint64_t kKptrMaps =
    maps(MapType::kHash, MapType::kPerCpuHash, MapType::kLruHash, MapType::kLruPerCpuHash, MapType::kArray,
         MapType::kPerCpuArray, MapType::kRhash) |
    kStorageMaps;
constexpr std::uint64_t kUptrMaps = maps(MapType::kTaskStorage);
constexpr std::uint64_t kGraphMaps = kTimerMaps;
constexpr std::uint64_t kNoMaps = 0;

constexpr std::uint64_t kHolders[kFieldKinds] = {
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) maps,
#include "btf/field_kinds.def"
#undef PORTOLAN_BTF_FIELD
};

// Nodes belong to allocated objects only: in a map's value nobody looks for them.
constexpr std::uint32_t kValueFields =
    ((1u << kFieldKinds) - 1) & ~(bit(FieldKind::kListNode) | bit(FieldKind::kRbNode));

Result<void> check_holder(const Btf& btf, const MapTypes& types, const std::vector<Field>& fields) {
  if (fields.empty()) return {};
  if ((types.map_flags & (abi::map_flag::kRdonlyProg | abi::map_flag::kWronlyProg)) != 0) return fail(EACCES);
  for (const Field& field : fields)
    if ((kHolders[static_cast<std::size_t>(field.kind)] >> types.map_type & 1) == 0) return fail(EOPNOTSUPP);
  return check_ownership(btf, fields);
}

}  // namespace

Result<CheckedTypes> check_map_types(const Btf& btf, const MapTypes& types) {
  CheckedTypes checked{btf.type(0), nullptr, {}};
  if (types.key_type_id != 0) {
    const auto key = btf.sized(types.key_type_id);
    if (!key || key->size != types.key_size) return fail(EINVAL);
    checked.key = btf.type(key->id);
  } else if (!types.has_check_btf) {
    return fail(EINVAL);
  }
  const auto value = btf.sized(types.value_type_id);
  if (!value || value->size != types.value_size) return fail(EINVAL);
  checked.value = btf.type(value->id);
  if (auto fields = find_fields(btf, *checked.value, kValueFields, types.value_size))
    checked.fields = std::move(*fields);
  TRY(check_holder(btf, types, checked.fields));
  return checked;
}

Result<void> check_array_types(const Btf& btf, const MapTypes& types, const CheckedTypes& checked,
                               std::uint32_t max_entries) {
  if (btf.is_void(*checked.key)) {
    const bool is_section = types.map_type == static_cast<std::uint32_t>(MapType::kArray) &&
                            max_entries == 1 && is(*checked.value, Kind::kDatasec);
    return is_section ? Result<void>{} : fail(EINVAL);
  }
  if (!btf.is_plain_int(*checked.key, sizeof(std::uint32_t))) return fail(EINVAL);
  return {};
}

}  // namespace portolan::btf
