// SPDX-License-Identifier: Apache-2.0
// What a global function takes, by the BTF of its program: its types, and tags of its arguments.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "verifier/verifier.h"

namespace portolan::verifier {

// As btf_prepare_func_args. `function`: its type; `name`: that of the log. EINVAL, EOPNOTSUPP, ENOENT, ESRCH:
// says why.
Result<std::vector<GlobalArgument>> arguments_of_global(const UnverifiedProgram& program,
                                                        std::uint32_t function, std::string_view name,
                                                        btf::Log* log);

}  // namespace portolan::verifier
