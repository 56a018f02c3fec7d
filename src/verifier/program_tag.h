// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <span>

#include "abi/insn.h"
#include "abi/limits.h"

namespace portolan::verifier {

// The beginning of the SHA-256 of the instructions, with zeros for the fds (or ids) of maps, as
// bpf_prog_calc_tag. Of a program: over what PROG_LOAD was given, with CO-RE relocations carried out; of one
// of several functions: over what info shows.
struct Tag {
  std::byte bytes[abi::kTagSize];
};
Tag tag_of(std::span<const abi::Insn> insns);
// All of it.
using Digest = std::array<std::byte, 32>;
Digest digest_of(std::span<const abi::Insn> insns);
Tag tag_of(const Digest& digest);

}  // namespace portolan::verifier
