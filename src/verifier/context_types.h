// SPDX-License-Identifier: Apache-2.0
// By which types functions say that they take a program's context.
#pragma once
#include "abi/prog_type.h"
#include "btf/btf.h"

namespace portolan::verifier {

// The struct that the context of such programs is, by name; nullptr: it has none.
const char* context_struct(abi::ProgType program);
// The name of the kernel's struct that a program of that type is given as this one; nullptr: it is not its
// context; "": the kernel has no struct for it.
const char* kernel_context(const btf::Btf& btf, const btf::Type& type, abi::ProgType program);

}  // namespace portolan::verifier
