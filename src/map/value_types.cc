// SPDX-License-Identifier: Apache-2.0
#include "map/value_types.h"

#include "abi/map_type.h"
#include "btf/map_check.h"

namespace portolan::map {
namespace {

// The kinds of btf/ as a map keeps them: one for every sort of kptr.
FieldKind kind_of(btf::FieldKind kind) {
  switch (kind) {
    case btf::FieldKind::kSpinLock:
      return FieldKind::kSpinLock;
    case btf::FieldKind::kResSpinLock:
      return FieldKind::kResSpinLock;
    case btf::FieldKind::kTimer:
      return FieldKind::kTimer;
    case btf::FieldKind::kWorkQueue:
      return FieldKind::kWorkQueue;
    case btf::FieldKind::kTaskWork:
      return FieldKind::kTaskWork;
    case btf::FieldKind::kKptrUntrusted:
    case btf::FieldKind::kKptr:
    case btf::FieldKind::kKptrPercpu:
      return FieldKind::kKptr;
    case btf::FieldKind::kUptr:
      return FieldKind::kUptr;
    case btf::FieldKind::kListHead:
      return FieldKind::kListHead;
    case btf::FieldKind::kListNode:
      return FieldKind::kListNode;
    case btf::FieldKind::kRbRoot:
      return FieldKind::kRbRoot;
    case btf::FieldKind::kRbNode:
      return FieldKind::kRbNode;
    case btf::FieldKind::kRefcount:
      return FieldKind::kRefcount;
  }
  return FieldKind::kSpinLock;
}

}  // namespace

Result<void> check_types(BtfObject& object, const Family& family, MapSpec& spec) {
  const btf::Btf& types = *TRY(object.parsed());
  const btf::MapTypes asked{.map_type = spec.type,
                            .map_flags = spec.map_flags,
                            .key_size = spec.key_size,
                            .value_size = spec.value_size,
                            .key_type_id = spec.btf_key_type_id,
                            .value_type_id = spec.btf_value_type_id,
                            .has_check_btf = family.check_btf != nullptr};
  const btf::CheckedTypes checked = TRY(btf::check_map_types(types, asked));
  if (family.check_btf != nullptr) TRY(family.check_btf(types, asked, checked, spec.max_entries));
  spec.field_count = 0;
  for (const btf::Field& field : checked.fields)
    if (spec.field_count < kMaxFields)
      spec.fields[spec.field_count++] = {kind_of(field.kind), field.offset, field.size};
  return {};
}

}  // namespace portolan::map
