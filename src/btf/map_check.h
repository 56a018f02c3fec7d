// SPDX-License-Identifier: Apache-2.0
// Whether the types that are given with a new map fit it.
#pragma once
#include <cstdint>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

struct MapTypes {
  std::uint32_t map_type;  // abi::MapType
  std::uint32_t map_flags;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t key_type_id;  // 0: not given, which only types with a check_btf of their own may take
  std::uint32_t value_type_id;
  bool has_check_btf;
};

struct CheckedTypes {
  const Type* key;  // with modifiers resolved; void if not given
  const Type* value;
  std::vector<Field> fields;  // of the value, by rising offset
};

// As map_check_btf, up to the type's own check_btf. EINVAL: sizes or kinds do not fit. EACCES: special fields
// in a map that programs may not read or write. EOPNOTSUPP: special fields that this type of map cannot hold.
// A value whose special fields are wrong by themselves is one without: as in the kernel, programs then find
// none.
Result<CheckedTypes> check_map_types(const Btf& btf, const MapTypes& types);

// As array_map_check_btf: the key is a plain 32-bit int; or there is none, one element, and the value is a
// section of variables. EINVAL.
Result<void> check_array_types(const Btf& btf, const MapTypes& types, const CheckedTypes& checked,
                               std::uint32_t max_entries);

}  // namespace portolan::btf
