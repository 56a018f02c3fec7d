// SPDX-License-Identifier: Apache-2.0
#include "kfuncs.h"

#include "map/kernel_btf.h"

namespace portolan::conformance {

std::int32_t kfunc_id(std::string_view name) {
  const auto types = map::kernel_btf();
  if (!types) return 0;
  const auto id = (*types)->find_by_name(name, btf::Kind::kFunc);
  return id ? static_cast<std::int32_t>(*id) : 0;
}

}  // namespace portolan::conformance
