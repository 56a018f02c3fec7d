// SPDX-License-Identifier: Apache-2.0
// What machine code is made of: a verified program, and what of it only whoever runs it knows.
#pragma once
#include <cstdint>
#include <span>

#include "abi/insn.h"
#include "helper/run.h"
#include "map/map.h"
#include "verifier/verifier.h"

namespace portolan::jit {

// Where a tail call goes on: at `entry`, with `context` in R1. nullptr: at the next instruction.
struct TailTarget {
  const void* entry;
  std::uint64_t context;
};
using TailCall = TailTarget (*)(helper::Run& run, std::uint64_t context, std::uint64_t map,
                                std::uint64_t index);

// A function of that number is called with these five arguments; `body` is the function without the look at
// its gate.
using Gate = std::uint64_t (*)(helper::Run& run, const void* owner, std::uint64_t function,
                               const std::uint64_t* arguments, const void* body);

// One number for each instruction: what a 64-bit load loads (but for the functions of the program).
struct Source {
  abi::ProgType type;
  std::span<const abi::Insn> insns;
  std::span<const verifier::InsnNotes> notes;
  std::span<const verifier::Subprogram> subprograms;  // in the order of `start`, the first at 0
  std::span<const std::uint64_t> wide;
  std::span<map::Map* const> maps;  // as the notes number them
  TailCall tail_call;
  // Of each function that others may be attached to: while one is not 0, its function is not run, but `gate`
  // called, which is given `owner`.
  std::span<const sync::Atomic<std::uint64_t>> gates;
  Gate gate;
  const void* owner;
  // Not 0: immediate operands and constants do not stand in the code as they are, but combined with random
  // numbers that grow from this one (constant blinding).
  std::uint64_t blinding = 0;
};

}  // namespace portolan::jit
