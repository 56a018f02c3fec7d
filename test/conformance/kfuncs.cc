// SPDX-License-Identifier: Apache-2.0
#include "kfuncs.h"

#include "btf/machine_for_test.h"

namespace portolan::conformance {

// Both have the same ids: a runtime's kernel types begin with the machine's.
std::int32_t kfunc_id(std::string_view name) {
  const btf::Btf* const types = btf::machine_btf();
  if (types == nullptr) return 0;
  const auto id = types->find_by_name(name, btf::Kind::kFunc);
  return id ? static_cast<std::int32_t>(*id) : 0;
}

}  // namespace portolan::conformance
