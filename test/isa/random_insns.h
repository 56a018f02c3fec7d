// SPDX-License-Identifier: Apache-2.0
// Random programs of syscall type that compute: every operation of opcodes.def, on every register, with edge
// operands, jumps, calls of functions. What they compute is in their context afterwards.
#pragma once
#include <cstdint>
#include <vector>

#include "isa/insn.h"
#include "verifier/verifier.h"

namespace portolan::isa {

// A small generator of random numbers: programs come by the million.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15) {}
  std::uint64_t next();
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>((next() >> 32) * end >> 32); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  std::uint64_t operand();  // an edge, or anything
  std::int32_t immediate() { return static_cast<std::int32_t>(operand()); }

 private:
  std::uint64_t state_;
};

inline constexpr std::size_t kContextWords = 32;

struct RandomProgram {
  std::vector<Insn> insns;
  std::vector<verifier::InsnNotes> notes;
  std::vector<verifier::Subprogram> subprograms;
};

// `gone`: a page that is not there, to be touched too (kernels do not take such programs); 0: none.
RandomProgram random_program(Random& random, std::uint64_t gone);

}  // namespace portolan::isa
