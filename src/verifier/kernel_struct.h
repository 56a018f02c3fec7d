// SPDX-License-Identifier: Apache-2.0
// What lies at an offset of a struct of the kernel, by its BTF.
#pragma once
#include "btf/btf.h"
#include "verifier/state.h"

namespace portolan::verifier {

struct StructField {
  bool is_pointer = false;   // else: a number
  std::uint32_t target = 0;  // of a pointer: the struct that it leads to; 0: bytes of no known kind
  Trust trust = Trust::kNone;
};
// As btf_struct_walk. EACCES, EINVAL: says why. `is_untrusted`: the struct may be something else.
Result<StructField> find_struct_field(const btf::Btf& types, std::uint32_t id, std::uint32_t offset,
                                      std::uint32_t size, bool is_untrusted, btf::Log* log);
// Whether a struct of type `wanted` lies there: the struct itself, or a member of it, or of that one. As
// btf_struct_ids_match.
bool has_struct_at(const btf::Btf& types, std::uint32_t id, std::uint32_t offset, std::uint32_t wanted);

}  // namespace portolan::verifier
