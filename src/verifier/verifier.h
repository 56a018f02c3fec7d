// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "abi/insn.h"
#include "base/result.h"

namespace portolan::verifier {

struct UnverifiedProgram {
  std::uint32_t type;  // abi::ProgType
  std::vector<abi::Insn> insns;
};

// A program that cannot do harm. Only verify() makes one.
class VerifiedProgram {
 public:
  std::uint32_t type() const { return program_.type; }
  const std::vector<abi::Insn>& insns() const { return program_.insns; }
  std::uint32_t verified_insns() const { return verified_insns_; }

 private:
  friend Result<VerifiedProgram> verify(UnverifiedProgram program, std::string* log);
  VerifiedProgram(UnverifiedProgram program, std::uint32_t verified_insns)
      : program_(std::move(program)), verified_insns_(verified_insns) {}
  UnverifiedProgram program_;
  std::uint32_t verified_insns_;  // how many were looked at, as programs' info shows it
};

// EINVAL, EACCES (a register that was never written): *log says which instruction, and why.
Result<VerifiedProgram> verify(UnverifiedProgram program, std::string* log);

}  // namespace portolan::verifier
