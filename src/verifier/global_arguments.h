// SPDX-License-Identifier: Apache-2.0
// What a global function takes, by the BTF of its program: its types, and tags of its arguments.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "verifier/verifier.h"

namespace portolan::verifier {

enum class GlobalArg : std::uint8_t {
  kNumber,
  kContext,
  kMemory,     // of which the function may read and write `size` bytes
  kDynptr,     // made, and only read
  kTrusted,    // an object of the kernel's of type `type`
  kUntrusted,  // anything, read as an object of type `type`, or, where that is 0, as bytes
};
struct GlobalArgument {
  GlobalArg kind{};
  bool may_be_null = false;
  std::uint32_t size = 0;
  std::uint32_t type = 0;  // of the kernel's BTF
};

// As btf_prepare_func_args. `function`: its type; `name`: that of the log. EINVAL, EOPNOTSUPP, ENOENT, ESRCH:
// says why.
Result<std::vector<GlobalArgument>> arguments_of_global(const UnverifiedProgram& program,
                                                        std::uint32_t function, std::string_view name,
                                                        btf::Log* log);

}  // namespace portolan::verifier
