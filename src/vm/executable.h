// SPDX-License-Identifier: Apache-2.0
// A verified program as it is run: as threaded code for the interpreter, one Code per instruction slot, with
// everything resolved that is known before the run; and as machine code, if it has been compiled.
#pragma once
#include <memory>
#include <vector>

#include "helper/helper.h"
#include "isa/operation.h"
#include "jit/code.h"
#include "jit/symbols.h"
#include "verifier/program.h"

namespace portolan::vm {

inline constexpr std::size_t kTailCallHandler = 2 * isa::kOperations, kThrowHandler = kTailCallHandler + 1;

struct Code {
  const void* handler;  // where in the interpreter its operation is carried out
  union {
    std::uint64_t wide;  // what a 64-bit load loads
    const Code* target;  // of a jump or a call of a function
    helper::Function function;
  };
  std::int32_t imm;  // of a call of a function: its number
  std::int16_t off;  // of a call of a function: bytes of stack that the function needs
  std::uint8_t to, from;
};
static_assert(sizeof(Code) == 24);

class Executable final : public verifier::Prepared, public map::FunctionOwner {
 public:
  // EINVAL: an instruction that only a kernel can carry out.
  static Result<std::unique_ptr<Executable>> create(const verifier::VerifiedProgram& program);

  // What create() takes from a program; instructions that no verifier has looked at, for tests only.
  struct Parts {
    abi::ProgType type;
    std::vector<abi::Insn> insns;
    std::vector<verifier::InsnNotes> notes;
    std::vector<map::Map*> maps;
    std::vector<verifier::ReadOnlyCopy> read_only_copies;
    std::vector<verifier::Subprogram> subprograms;
    verifier::BufferBytes buffer_bytes = {};
  };
  // `handlers`: of the interpreter that is to run it (interpreter.h).
  static Result<std::unique_ptr<Executable>> for_test(Parts parts, const void* const* handlers);

  // Of each function that others may be attached to: looked at whenever it is entered (gate.h). They stay as
  // long as the program. Before compile().
  void keep_gates(verifier::Program::Gates gates) { gates_ = gates; }
  bool has_attached(std::uint32_t function) const {
    return function < gates_.size() && gates_[function].load_acquire() != 0;  // pairs with replace_edge
  }
  // Makes machine code of it: what jit::Code::create() says. `blinding`: as jit::Source has it.
  Result<void> compile(std::uint64_t blinding = 0);
  const jit::Code* native() const { return native_.get(); }  // nullptr: it is interpreted
  // What it has been compiled to, with names; without a name of its own, a function has that of the program.
  std::vector<jit::Symbol> symbols(std::string_view program) const;
  void keep(std::unique_ptr<const jit::DebuggerSymbols> symbols) { debugger_symbols_ = std::move(symbols); }

  abi::ProgType type() const { return parts_.type; }
  const std::vector<map::Map*>& maps() const { return parts_.maps; }
  const verifier::BufferBytes& buffer_bytes() const { return parts_.buffer_bytes; }

  std::span<const verifier::Subprogram> functions() const override { return parts_.subprograms; }
  struct Function {
    const Code* code;
    std::uint32_t stack_bytes;
    std::uint32_t index;
  };
  Function main() const { return function_at(0); }
  // What runs when the program has thrown; code nullptr: there is none.
  Function exception_callback() const;
  std::optional<ds::TimerCallback> name_of(std::uint64_t function) const override;
  // Whether the function of that number, counted from 0, was verified as the callback of timers of such a
  // map.
  bool may_be_called_for(std::uint32_t function, const map::Map& map) const;
  Function function_at(std::uint32_t index) const {
    return {code_.data() + parts_.subprograms[index].start, parts_.subprograms[index].stack_bytes, index};
  }
  // By the number that the program has for it: its first instruction's index, plus 1.
  Function function(std::uint64_t number) const;

 private:
  explicit Executable(Parts parts) : parts_(std::move(parts)) {}
  Result<void> prepare(const void* const* handlers);
  Result<Code> prepare_one(std::size_t at) const;
  Result<std::uint64_t> load_immediate(std::size_t at) const;
  Result<void> resolve_call(std::size_t at, Code& code) const;
  Result<const Code*> code_at(std::int64_t index) const;
  Result<const verifier::Subprogram*> subprogram_at(std::int64_t start) const;

  Parts parts_;
  verifier::Program::Gates gates_;
  std::vector<Code> code_;
  std::unique_ptr<const jit::Code> native_;
  std::unique_ptr<const jit::DebuggerSymbols> debugger_symbols_;
};

}  // namespace portolan::vm
