// SPDX-License-Identifier: Apache-2.0
// A loaded program as an object of the runtime.
#pragma once
#include <memory>

#include "abi/limits.h"
#include "object/runtime.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// What is kept of a program besides its instructions.
struct ProgramAttributes {
  std::uint32_t type = 0;  // abi::ProgType
  std::uint32_t insn_count = 0;
  std::uint32_t verified_insns = 0;
  std::uint32_t created_by_uid = 0;
  std::uint64_t load_time_ns = 0;  // since boot
  std::uint32_t gpl_compatible = 0;
  std::uint32_t expected_attach_type = 0;
  std::byte tag[abi::kTagSize] = {};
  char name[abi::kObjNameLen] = {};
};

class Program final : public object::View {
 public:
  Program(object::Mapped mapped, const ProgramAttributes& attributes, std::span<const abi::Insn> insns)
      : View(std::move(mapped)), attributes_(attributes), insns_(insns) {}
  const ProgramAttributes& attributes() const { return attributes_; }
  // They lie in a region: verified when they were written, and to be verified again before they run.
  std::span<const abi::Insn> insns() const { return insns_; }

 private:
  ProgramAttributes attributes_;
  std::span<const abi::Insn> insns_;
};

// ENOMEM. Fills in the counts and the tag.
Result<object::Draft> draft_program(object::Runtime& runtime, const VerifiedProgram& program,
                                    ProgramAttributes attributes);
// object::ViewFactory of programs.
Result<std::unique_ptr<object::View>> make_program_view(object::Mapped mapped);

}  // namespace portolan::verifier
