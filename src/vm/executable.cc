// SPDX-License-Identifier: Apache-2.0
#include "vm/executable.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "base/assert.h"
#include "vm/gate.h"
#include "vm/interpreter.h"
#include "vm/tail_call.h"

namespace portolan::vm {
namespace {

using isa::Class;
using isa::Operation;

// How an instruction that may fault is carried out: the handlers for that follow those of the operations.
std::size_t handler_index(Operation operation, bool may_fault) {
  return static_cast<std::size_t>(operation) + (may_fault ? isa::kOperations : 0);
}

bool is_jump(const abi::Insn& insn) {
  const Class kind = isa::class_of(insn);
  if (kind != Class::kJmp && kind != Class::kJmp32) return false;
  return isa::jump_of(insn) != isa::Jump::kCall && isa::jump_of(insn) != isa::Jump::kExit;
}

constexpr std::int32_t kTailCall = 12;  // bpf_tail_call

}  // namespace

Result<std::unique_ptr<Executable>> Executable::create(const verifier::VerifiedProgram& program) {
  try {
    Parts parts{program.source().type,      program.insns(),       program.notes(),       program.maps(),
                program.read_only_copies(), program.subprograms(), program.buffer_bytes()};
    return for_test(std::move(parts), native_handlers());
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

Result<std::unique_ptr<Executable>> Executable::for_test(Parts parts, const void* const* handlers) {
  parts.notes.resize(parts.insns.size());
  std::unique_ptr<Executable> executable(new Executable(std::move(parts)));
  TRY(executable->prepare(handlers));
  return executable;
}

Result<void> Executable::compile(std::uint64_t blinding) {
  std::vector<std::uint64_t> wide(parts_.insns.size());
  for (std::size_t at = 0; at < wide.size(); ++at)
    if (isa::is_wide(parts_.insns[at])) wide[at] = code_[at].wide;
  native_ = TRY(jit::Code::create({parts_.type, parts_.insns, parts_.notes, parts_.subprograms, wide,
                                   parts_.maps, native_tail_call, gates_, native_gate, this, blinding}));
  return {};
}

std::vector<jit::Symbol> Executable::symbols(std::string_view program) const {
  std::vector<jit::Symbol> symbols;
  const std::vector<std::uint32_t>& starts = native_->starts();
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : native_->bytes().size();
    const std::string& own = parts_.subprograms[i].name;
    symbols.push_back({fmt::format("bpf_prog_{}", own.empty() ? program : own),
                       native_->bytes().subspan(starts[i], end - starts[i])});
  }
  return symbols;
}

Executable::Function Executable::function(std::uint64_t number) const {
  const Result<const verifier::Subprogram*> found = subprogram_at(static_cast<std::int64_t>(number) - 1);
  PORTOLAN_ASSERT(found);  // the verifier lets a program make no other
  return function_at(static_cast<std::uint32_t>(*found - parts_.subprograms.data()));
}

Executable::Function Executable::exception_callback() const {
  for (std::uint32_t index = 0; index < parts_.subprograms.size(); ++index)
    if (parts_.subprograms[index].is_exception_callback) return function_at(index);
  return {nullptr, 0, 0};
}

// A function's address, or, interpreted, the number that the program has for it: a program may be run by
// either engine, after tail calls.
std::optional<ds::TimerCallback> Executable::name_of(std::uint64_t function) const {
  for (std::uint32_t index = 0; index < parts_.subprograms.size(); ++index) {
    const bool is_number = function == std::uint64_t{parts_.subprograms[index].start} + 1;
    const bool is_address =
        native_ != nullptr && function == reinterpret_cast<std::uintptr_t>(native_->function(index));
    if ((is_number || is_address) && program() != nullptr) return ds::TimerCallback{program()->id(), index};
  }
  return {};
}

bool Executable::may_be_called_for(std::uint32_t function, const map::Map& map) const {
  if (function >= parts_.subprograms.size()) return false;
  return std::ranges::any_of(parts_.subprograms[function].timers, [&](const verifier::TimersOf& one) {
    const map::Map& known = *parts_.maps[one.map];
    return one.are_inner ? map.may_be_inner() && map.meta_equal(*known.inner_spec()) : &known == &map;
  });
}

Result<void> Executable::prepare(const void* const* handlers) {
  if (parts_.insns.empty() || parts_.subprograms.empty()) return fail(EINVAL);
  for (const verifier::Subprogram& one : parts_.subprograms)
    if (one.stack_bytes > kFrameBytes || one.start >= parts_.insns.size()) return fail(EINVAL);
  code_.resize(parts_.insns.size());
  for (std::size_t at = 0; at < code_.size(); ++at) {
    const abi::Insn& insn = parts_.insns[at];
    const Operation operation = isa::operation_of(insn);
    if (operation == Operation::kNone || insn.dst() >= kRegisters || insn.src() >= kRegisters)
      return fail(EINVAL);
    code_[at] = TRY(prepare_one(at));
    const bool is_tail_call = operation == Operation::call_helper && insn.imm == kTailCall;
    code_[at].handler = handlers[is_tail_call ? kTailCallHandler
                                 : helper::throws(parts_.notes[at].kfunc)
                                     ? kThrowHandler
                                     : handler_index(operation, parts_.notes[at].may_fault)];
    if (!isa::is_wide(insn)) continue;
    if (++at == code_.size()) return fail(EINVAL);
    code_[at].handler = handlers[handler_index(Operation::kNone, false)];
  }
  return {};
}

Result<Code> Executable::prepare_one(std::size_t at) const {
  const abi::Insn& insn = parts_.insns[at];
  Code code{nullptr, {0}, insn.imm, insn.off, insn.dst(), insn.src()};
  if (isa::is_wide(insn)) {
    code.wide = TRY(load_immediate(at));
  } else if (insn.code == isa::kCallCode) {
    TRY(resolve_call(at, code));
  } else if (is_jump(insn)) {
    const bool is_long = insn.code == 0x06;
    code.target = TRY(code_at(static_cast<std::int64_t>(at) + 1 + (is_long ? insn.imm : insn.off)));
  }
  return code;
}

Result<std::uint64_t> Executable::load_immediate(std::size_t at) const {
  if (at + 1 >= parts_.insns.size()) return fail(EINVAL);
  const abi::Insn& insn = parts_.insns[at];
  const auto low = static_cast<std::uint32_t>(insn.imm),
             high = static_cast<std::uint32_t>(parts_.insns[at + 1].imm);
  const auto pseudo = static_cast<abi::PseudoLoad>(insn.src());
  if (pseudo == verifier::kOwnProgram)
    return reinterpret_cast<std::uintptr_t>(static_cast<const map::FunctionOwner*>(this));
  switch (pseudo) {
    case abi::PseudoLoad::kNone:
      return std::uint64_t{high} << 32 | low;
    case abi::PseudoLoad::kFunc: {
      const std::int64_t start = static_cast<std::int64_t>(at) + 1 + insn.imm;
      TRY(subprogram_at(start));
      return static_cast<std::uint64_t>(start) + 1;
    }
    case abi::PseudoLoad::kMapIdx:
    case abi::PseudoLoad::kMapIdxValue: {
      if (low >= parts_.maps.size()) return fail(EINVAL);
      map::Map* const map = parts_.maps[low];
      if (pseudo == abi::PseudoLoad::kMapIdx) return reinterpret_cast<std::uintptr_t>(map);
      for (const verifier::ReadOnlyCopy& copy : parts_.read_only_copies)
        if (copy.map == low) return reinterpret_cast<std::uintptr_t>(copy.bytes.data()) + high;
      return reinterpret_cast<std::uintptr_t>(TRY(map->direct_value_addr(high)));
    }
    default:
      return fail(EINVAL);
  }
}

Result<void> Executable::resolve_call(std::size_t at, Code& code) const {
  const abi::Insn& insn = parts_.insns[at];
  if (insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram)) {
    const verifier::Subprogram* callee = TRY(subprogram_at(static_cast<std::int64_t>(at) + 1 + insn.imm));
    code.target = code_.data() + callee->start;
    code.off = static_cast<std::int16_t>(callee->stack_bytes);
    code.imm = static_cast<std::int32_t>(callee - parts_.subprograms.data());
    return {};
  }
  if (insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kKfunc)) {
    const helper::Kfunc* const kfunc = parts_.notes[at].kfunc;
    if (kfunc == nullptr || kfunc->function == nullptr) return fail(EINVAL);
    code.function = kfunc->function;
    return {};
  }
  const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
  if (prototype == nullptr || prototype->function == nullptr) return fail(EINVAL);
  code.function = prototype->function;
  return {};
}

Result<const Code*> Executable::code_at(std::int64_t index) const {
  if (index < 0 || index >= static_cast<std::int64_t>(code_.size())) return fail(EINVAL);
  return code_.data() + index;
}

Result<const verifier::Subprogram*> Executable::subprogram_at(std::int64_t start) const {
  const auto& all = parts_.subprograms;
  const auto found =
      std::lower_bound(all.begin(), all.end(), start,
                       [](const verifier::Subprogram& one, std::int64_t at) { return one.start < at; });
  if (found == all.end() || found->start != start) return fail(EINVAL);
  return &*found;
}

}  // namespace portolan::vm
