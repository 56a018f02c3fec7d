// SPDX-License-Identifier: Apache-2.0
// Which programs may be attached to which functions of programs, beside which others.
#pragma once
#include "hook/order.h"

namespace portolan::hook {

// The hook's key for the function of that FUNC of the target, of which a program is attached to it. EINVAL.
Result<Key> key_of_function(verifier::Program& target, std::uint32_t type_id);
// As bpf_check_attach_target, once the program has been loaded; what it was loaded for may be another one.
// EINVAL.
Result<void> check_function(const Key& key, verifier::Program& program);
// As bpf_trampoline_link_prog: an extension is alone. EBUSY, E2BIG.
Result<void> add_to_program(List& list, Pair added, verifier::Program& program, verifier::Program& target);

}  // namespace portolan::hook
