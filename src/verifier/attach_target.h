// SPDX-License-Identifier: Apache-2.0
// What a program that is attached by BTF (tracing, lsm) names with attach_btf_id, and the context that this
// gives it: one 64-bit word for each argument.
#pragma once
#include <optional>
#include <string>

#include "verifier/context.h"
#include "verifier/state.h"
#include "verifier/structure.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

struct AttachTarget {
  // The kernel's, as long as the process lives, or a program's. nullptr: the context is that of the type.
  const btf::Btf* types = nullptr;
  std::string name;
  const btf::Type* prototype = nullptr;     // FUNC_PROTO; nullptr: five words, of which nothing is known
  bool skips_first_argument = false;        // a tracepoint's, which no program sees
  std::optional<abi::ProgType> of_program;  // whose function it is
};

// As check_attach_btf_id. EINVAL, kEnotsupp, ENOENT (no BTF of a kernel); a target without types for programs
// that need none. `main`: of the program.
Result<AttachTarget> find_attach_target(const UnverifiedProgram& program, const Function& main,
                                        btf::Log* log);

// What a load from such a context gives (btf_ctx_access). Says why, where it is not allowed.
struct AttachedAccess {
  bool is_allowed = false;
  std::uint32_t kernel_type = 0;  // 0: a number
  Trust trust = Trust::kNone;
  bool maybe_null = false;
  bool is_buffer = false;  // or NULL
  bool is_read_only = false;
};
AttachedAccess check_attached_access(const UnverifiedProgram& program, const AttachTarget& target,
                                     std::int32_t offset, std::uint32_t size, bool writes, btf::Log* log);

// What an lsm program may return; nothing: its hook returns nothing.
std::optional<ReturnRange> lsm_return_range(const UnverifiedProgram& program, const AttachTarget& target);

}  // namespace portolan::verifier
