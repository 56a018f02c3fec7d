// SPDX-License-Identifier: Apache-2.0
// Memory that holds machine code: the only executable memory that this process makes. It is never writable
// and executable at once (W^X).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace portolan::jit {

// An instruction that may meet pages which are gone, and where its run goes on then. Offsets into the code.
struct Recovery {
  std::uint32_t at, landing;
};

// Code in pages of its own, until it is destroyed; nobody may be running it then.
class CodeBlock {
 public:
  // A copy of `code`, which must not depend on where it lies; recoveries in the order of `at`. ENOMEM: no
  // room is left; EACCES, EPERM: this process may have no executable memory.
  static Result<std::unique_ptr<const CodeBlock>> create(std::span<const std::uint8_t> code,
                                                         std::vector<Recovery> recoveries);
  ~CodeBlock();
  CodeBlock(const CodeBlock&) = delete;
  CodeBlock& operator=(const CodeBlock&) = delete;

  std::span<const std::uint8_t> code() const { return code_; }
  // Where the run goes on when the instruction there faults; 0: nowhere.
  std::uintptr_t landing_of(std::uintptr_t instruction) const;

 private:
  CodeBlock(std::span<const std::uint8_t> code, std::size_t first_page, std::vector<Recovery> recoveries)
      : code_(code), first_page_(first_page), recoveries_(std::move(recoveries)) {}

  std::span<const std::uint8_t> code_;
  std::size_t first_page_;
  std::vector<Recovery> recoveries_;
};

}  // namespace portolan::jit
