// SPDX-License-Identifier: Apache-2.0
// Instructions as the kernel's log and bpftool print them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "isa/insn.h"

namespace portolan::isa {

// Names that the instruction itself does not carry; each may answer "".
class Names {
 public:
  virtual ~Names() = default;
  virtual std::string call(const Insn& insn) const = 0;  // of a helper: "bpf_map_lookup_elem"
  virtual std::string wide(const Insn& low, const Insn& high) const = 0;  // of what a 64-bit load loads
};

// The instruction at `at`, without a line feed: "(b7) r0 = 0", "(85) call bpf_ktime_get_ns#5", "(18) r1 =
// 0x0". What is no instruction gives the kernel's words for it, such as "BUG_ld_00".
std::string disassemble(std::span<const Insn> insns, std::size_t at, const Names* names = nullptr);

}  // namespace portolan::isa
