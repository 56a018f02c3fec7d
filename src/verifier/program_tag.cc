// SPDX-License-Identifier: Apache-2.0
#include "verifier/program_tag.h"

#include "isa/insn.h"
#include "map/sha256.h"

namespace portolan::verifier {

Digest digest_of(std::span<const abi::Insn> insns) {
  map::Sha256 hash;
  bool is_second_half = false;
  for (abi::Insn insn : insns) {
    const auto pseudo = static_cast<abi::PseudoLoad>(insn.src());
    const bool names_map =
        isa::is_wide(insn) && (pseudo == abi::PseudoLoad::kMapFd || pseudo == abi::PseudoLoad::kMapValue);
    if (is_second_half || names_map) insn.imm = 0;
    is_second_half = names_map;
    hash.add(std::as_bytes(std::span(&insn, 1)));
  }
  static_assert(sizeof(Digest) == map::Sha256::kSize);
  Digest digest;
  hash.finish(digest.data());
  return digest;
}

Tag tag_of(std::span<const abi::Insn> insns) { return tag_of(digest_of(insns)); }

Tag tag_of(const Digest& digest) {
  Tag tag;
  std::memcpy(tag.bytes, digest.data(), sizeof tag.bytes);
  return tag;
}

}  // namespace portolan::verifier
