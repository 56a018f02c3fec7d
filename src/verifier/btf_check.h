// SPDX-License-Identifier: Apache-2.0
// Whether a program's function and line info fit its BTF and its instructions.
#pragma once
#include <span>

#include "verifier/verifier.h"

namespace portolan::verifier {

struct SubprogramShape {
  std::uint32_t start;
  bool has_ld_abs, has_tail_call;
};

// As check_btf_info_early: what can be said before the subprograms are known. EINVAL.
Result<void> check_btf_info_early(const UnverifiedProgram& program, btf::Log* log);
// As check_btf_info, and check_abnormal_return for programs without BTF. `subprograms` by rising start.
// EINVAL.
Result<void> check_btf_info(const UnverifiedProgram& program, std::span<const SubprogramShape> subprograms,
                            btf::Log* log);

// The function that starts at `insn`, or nullptr: its BTF type (KIND_FUNC).
const btf::Type* function_at(const UnverifiedProgram& program, std::uint32_t insn);

}  // namespace portolan::verifier
