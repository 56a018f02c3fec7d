// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "verifier/facts.h"

namespace portolan::verifier {

// Resolves every reference to a map, so that the program names its maps by index into facts.maps. EBADF,
// EINVAL, EPROTO: no map; E2BIG: too many; EINVAL, EACCES: one that such a program may not use.
Result<void> resolve_maps(UnverifiedProgram& program, MapSource& source, Facts& facts, btf::Log* log);

}  // namespace portolan::verifier
