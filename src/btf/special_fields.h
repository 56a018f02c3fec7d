// SPDX-License-Identifier: Apache-2.0
// Fields of structs and data sections that belong to the kernel: locks, timers, kernel pointers, lists,
// trees.
#pragma once
#include <span>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

inline constexpr std::uint32_t kKptrFields =
    bit(FieldKind::kKptrUntrusted) | bit(FieldKind::kKptr) | bit(FieldKind::kKptrPercpu);

// Those of the kinds in `mask` (bits), by rising offset; none is not an error. As btf_parse_fields: E2BIG
// (two where one may be, or more than kMaxFields), EINVAL (what cannot be; `type` neither struct nor data
// section too), EEXIST (overlap), EFAULT (beyond value_size), ENOENT (a list of no known struct). The kernel
// looks the target of a kptr up in its own types as well: here all are the program's.
Result<std::vector<Field>> find_fields(const Btf& btf, const Type& type, std::uint32_t mask,
                                       std::uint32_t value_size);

// Whether what the fields own is fine: no list of lists without end (ELOOP), no uptr to more than a page
// (E2BIG) or to nothing (EINVAL). As btf_check_and_fixup_fields.
Result<void> check_ownership(const Btf& btf, std::span<const Field> fields);

// Structs of the blob that programs may allocate and that have such fields; errors as above.
Result<std::vector<StructMeta>> find_struct_metas(const Btf& btf);

std::uint32_t mask_of(std::span<const Field> fields);

}  // namespace portolan::btf
