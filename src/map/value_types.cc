// SPDX-License-Identifier: Apache-2.0
#include "map/value_types.h"

namespace portolan::map {

// BTF_LOAD is a command still to come, so no map can have been given types that fit.
Result<void> check_types(const BtfObject&, MapSpec&) { return fail(EINVAL); }

}  // namespace portolan::map
