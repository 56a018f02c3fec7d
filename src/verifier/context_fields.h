// SPDX-License-Identifier: Apache-2.0
// Contexts whose fields a program finds in memory as its source has them: plain_contexts.def.
#pragma once
#include "verifier/context.h"

namespace portolan::verifier {

// Whether the type has such a context.
bool has_plain_context(abi::ProgType type);
// As check_context_access(), for those; `offset` is not negative, and a multiple of `size`.
ContextAccess check_plain_context(abi::ProgType type, std::uint32_t expected_attach_type, std::int32_t offset,
                                  std::uint32_t size, bool writes);

}  // namespace portolan::verifier
