// SPDX-License-Identifier: Apache-2.0
// Several instructions that do something together which single ones seldom come to: a dynptr, a record, a
// lock, a callback, a timer, a helper that is given memory. Numbers in them are the fuzzer's, so that they
// are right only now and then.
#pragma once
#include <vector>

#include "abi/insn.h"
#include "fuzz/world.h"

namespace portolan::fuzz {

// The maps that programs may name, by index.
enum ProgramMap : std::uint8_t {
  kNumbers,   // array: 4 values of 48 bytes
  kPerCpu,    // per-CPU array: 2 of 16
  kTable,     // hash: 8 keys of 8 bytes, values of 24
  kLine,      // queue of 16 bytes
  kMembers,   // bloom filter of 8
  kOuter,     // array of maps that holds the first
  kPrograms,  // array of programs: none
  kRing,      // ring buffer
  kLocked,    // hash: keys of 4 bytes, 16 bytes that begin with a bpf_spin_lock
  kTimers,    // array: 4 values of 24 bytes with a bpf_timer at 8
  kProgramMaps
};

// A program that is being made: callbacks come behind it.
struct Statements {
  std::vector<abi::Insn> insns;
  std::vector<std::size_t> callbacks;  // loads of functions, one for each that is to come
  std::int32_t last_dynptr = -16;      // where on the stack one was made
};
void append_statement(Statements& program, Input& input);
// Every callback that was named: its first instruction.
std::vector<std::uint32_t> append_callbacks(Statements& program, Input& input);

}  // namespace portolan::fuzz
