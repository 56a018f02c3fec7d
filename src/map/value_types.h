// SPDX-License-Identifier: Apache-2.0
// What BTF says about a map's keys and values.
#pragma once
#include "map/btf_object.h"
#include "map/family.h"
#include "map/spec.h"

namespace portolan::map {

// Whether the types fit the map (map_check_btf), and which fields of the kernel's its values have: filled in.
// EINVAL, EACCES, EOPNOTSUPP.
Result<void> check_types(BtfObject& btf, const Family& family, MapSpec& spec);

}  // namespace portolan::map
