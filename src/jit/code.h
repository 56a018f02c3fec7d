// SPDX-License-Identifier: Apache-2.0
// A verified program as machine code.
#pragma once
#include <memory>

#include "jit/code_memory.h"
#include "jit/source.h"
#include "map/program_invoker.h"

extern "C" {
std::uint64_t portolan_jit_run(portolan::helper::Run* run, const void* code, void* context);
}

namespace portolan::jit {

// Immutable; nobody may be running it when it is destroyed.
class Code {
 public:
  // ENOMEM, EACCES, EPERM: no executable memory is to be had; EINVAL: an instruction that cannot be encoded.
  static Result<std::unique_ptr<const Code>> create(const Source& source);

  const void* entry() const { return entry_; }
  std::span<const std::uint8_t> bytes() const { return block_->code(); }
  // Where each function begins in bytes(), in the order of the program's.
  const std::vector<std::uint32_t>& starts() const { return starts_; }
  const void* function(std::size_t index) const { return bytes().data() + starts_.at(index); }
  // Where the code of each instruction of the program begins.
  const std::vector<std::uint32_t>& places() const { return places_; }

 private:
  Code() = default;
  std::unique_ptr<const CodeBlock> block_;
  const void* entry_ = nullptr;
  std::vector<std::uint32_t> starts_, places_;
};

// One run of machine code; it calls functions of the program by their addresses.
class NativeRun final : public map::ProgramInvoker {
 public:
  explicit NativeRun(helper::Run& run) : run_(run) { run.program = this; }
  // The program on run.context; R0.
  std::uint64_t run(const Code& code) { return portolan_jit_run(&run_, code.entry(), run_.context); }
  std::uint64_t call_back(std::uint64_t function, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                          std::uint64_t d, std::uint64_t e) override;

 private:
  helper::Run& run_;
};

// Code of a program that belongs to the run, with these five arguments.
std::uint64_t enter(helper::Run& run, const void* code, const std::uint64_t* arguments);

// A tail call that has been carried out, with this result.
TailTarget returning(std::uint64_t result);

}  // namespace portolan::jit
